"""``manage.py rollback``: let the model serve again that served before."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from cdp import pipeline
from cdp.management.commands._base import told_plainly


class Command(BaseCommand):
    help = "Let the artifact serve again that served before the present one, which is refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, help="kept with the artifact that goes")

    def handle(self, *args: Any, **options: Any) -> None:
        with told_plainly():
            row = pipeline.roll_back(getpass.getuser(), options["reason"])
        self.stdout.write(f"serving: {row.model} {row.pk}, of {row.created_at:%Y-%m-%d %H:%M}")
