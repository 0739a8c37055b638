"""``manage.py apikey NAME --scopes …``: make an API key (or renew it) and show it once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from cdp.channels import Channel
from cdp.management.commands._base import told_plainly
from cdp.models import Scope
from cdp.stages.register import register_api_key


class Command(BaseCommand):
    help = "Make an API key for GraphQL, or renew it; the key is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--scopes", nargs="+", default=Scope.values, choices=Scope.values)
        parser.add_argument("--channel", default="", choices=["", *Channel.values])

    def handle(self, *args: Any, **options: Any) -> None:
        with told_plainly():
            row, key = register_api_key(options["name"], options["scopes"], options["channel"])
        self.stdout.write(f"API key {row.name} ({', '.join(row.scopes)}): {key}")
