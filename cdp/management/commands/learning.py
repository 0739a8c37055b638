"""``manage.py learning``: what serves, how far the data has moved, and what became of slates."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from cdp.domain.drift import said
from cdp.selectors.learning import health


class Command(BaseCommand):
    help = "What serves, how far inputs and scores have drifted since, and what became of the slates shown."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=float, default=7.0, help="of slates shown (7)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["days"] <= 365:
            raise CommandError("--days: more than 0, at most 365")
        found = health(timezone.now(), timedelta(days=options["days"]))
        if found.serving is None:
            self.stdout.write("nothing serves yet: manage.py train")
            return
        row = found.serving
        self.stdout.write(f"serving: {row.model} {row.pk}, learned from snapshot {row.snapshot_id} of {row.snapshot.created_at:%Y-%m-%d %H:%M}")  # fmt: skip
        drift = Table(title="drift since it was learned (population stability index)")
        for name in ("of", "index", ""):
            drift.add_column(name)
        for name, value in found.drift.items():
            drift.add_row(name, "" if value is None else f"{value:.3f}", said(value))
        Console().print(drift)
        shown = Table(title=f"slates shown in {options['days']:g} days")
        for name in ("artifact", "channel", "shown", "led to a look", "led to a purchase", "explored", "found out"):  # fmt: skip
            shown.add_column(name)
        for one in found.outcomes:
            rates = (f"{one.clicked / one.shown:.4f}", f"{one.purchased / one.shown:.4f}")
            tried = (str(one.explored), f"{one.found / one.explored:.4f}" if one.explored else "")
            shown.add_row(str(one.artifact), one.channel, str(one.shown), *rates, *tried)
        Console().print(shown)
