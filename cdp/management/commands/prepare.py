"""``manage.py prepare``: bring the stores' schemas up to date; safe to run twice."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from cdp.graph import projection
from cdp.management.commands._base import told_plainly


class Command(BaseCommand):
    help = "Migrate PostgreSQL, make the graph's constraints, gather static files."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=1, stdout=self.stdout)
        with told_plainly():
            projection.ensure_schema()
        self.stdout.write("graph: constraints are in place")
        call_command("collectstatic", interactive=False, verbosity=0)
        self.stdout.write("static files: gathered")
