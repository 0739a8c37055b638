"""``manage.py schema [--check]``: schema.graphql, as it is committed."""

from __future__ import annotations

import difflib
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from api.graphql.schema import schema


class Command(BaseCommand):
    help = "Write schema.graphql, or fail when the committed one is not the code's."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="only compare; exit 1 on a difference"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        text = schema.as_str() + "\n"
        path = settings.BASE_DIR / "schema.graphql"
        if not options["check"]:
            path.write_text(text)
            self.stdout.write(f"wrote {path.name}")
            return
        committed = path.read_text() if path.exists() else ""
        if committed != text:
            lines = difflib.unified_diff(
                committed.splitlines(), text.splitlines(), "committed", "code", lineterm=""
            )
            raise CommandError("schema.graphql is not the code's:\n" + "\n".join(lines))
        self.stdout.write("schema.graphql is up to date")
