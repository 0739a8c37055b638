"""``manage.py source NAME CHANNEL``: make a source (or renew its write key) and show the key once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from cdp.channels import Channel
from cdp.management.commands._base import told_plainly
from cdp.stages.register import register_source


class Command(BaseCommand):
    help = "Make a source of events, or renew its write key; the key is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("channel", choices=Channel.values)

    def handle(self, *args: Any, **options: Any) -> None:
        with told_plainly():
            source, key = register_source(options["name"], options["channel"])
        self.stdout.write(f"source {source.name} on {source.channel}; write key: {key}")
