"""``manage.py consistency``: measure how alike the channels treat customers, and keep the report."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from cdp import pipeline
from cdp.management.commands._base import told_plainly


class Command(BaseCommand):
    help = "Measure the shop's consistency over the last days, beside each channel alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=float, default=7.0)
        parser.add_argument("--json", action="store_true", help="print the report for a program")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        with told_plainly():
            report = pipeline.measure_consistency(now - timedelta(days=options["days"]), now)
        if options["json"]:
            rows = dict(report.rows())
            self.stdout.write(
                json.dumps({"score": report.score, "coverage": report.coverage, "dimensions": rows})
            )
            return
        table = Table(title=f"consistency of the last {options['days']:g} days")
        for name in (
            "dimension",
            "score",
            "95 % interval",
            "each channel alone",
            "customers",
            "status",
        ):
            table.add_column(name)
        for name, part in report.rows():
            interval = "–" if part["low"] is None else f"{part['low']:.3f} to {part['high']:.3f}"
            table.add_row(
                name, _shown(part["score"]), interval, _shown(part["alone"]["score"]),
                str(part["customers"]), part["status"],
            )  # fmt: skip
        Console().print(table)
        self.stdout.write(f"shop score {_shown(report.score)}, coverage {report.coverage:.0%}")
        for name, part in report.rows():
            for line in part["differences"][:3]:
                self.stdout.write(f"  {name}: {line}")


def _shown(score: float | None) -> str:
    return "–" if score is None else f"{score:.3f}"
