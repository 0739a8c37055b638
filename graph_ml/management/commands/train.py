"""``manage.py train``: learn from the graph by hand, with progress and a table at the end."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from cdp.errors import CDPError
from graph_ml.run import CANDIDATES, Result, learn


class Command(BaseCommand):
    help = "Learn from the interaction graph: snapshot, train, measure, and promote what is better."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "models", nargs="*", choices=[*CANDIDATES, []], help="candidates (default: every one)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = learn(lambda line: self.stdout.write(line), options["models"] or None)
        except CDPError as error:
            raise CommandError(str(error)) from error
        show(result)


def show(result: Result) -> None:
    table = Table(title="held-out time (in brackets: validation part)")
    for name in ("model", "recall@20", "ndcg@20", "coverage@20", "seconds", "status"):
        table.add_column(name)
    for row in result.rows:
        figures = [_shown(row.metrics, name) for name in ("recall@20", "ndcg@20", "coverage@20")]
        served = result.serving is not None and row.pk == result.serving.pk
        table.add_row(
            row.model, *figures, f"{row.seconds:.1f}", "serving" if served else row.status
        )
    Console().print(table)


def _shown(metrics: dict[str, float], name: str) -> str:
    """The held-out figure; in brackets that of the validation part, where the model ended there."""
    if name in metrics:
        return f"{metrics[name]:.4f}"
    return f"({metrics[f'validation {name}']:.4f})"
