"""``manage.py train``: learn from the graph, or from a table, with progress and a table at the end."""

from __future__ import annotations

import os
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from cdp.errors import CDPError
from graph_ml.candidates import CANDIDATES
from graph_ml.distributed import joined
from graph_ml.run import Result, learn

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "user_data.csv"
HELP = f"""
Learn from the interaction graph: snapshot, train, measure, and promote what is better.

  manage.py train [{"|".join(CANDIDATES)} ...]   candidates (default: every one)
  torchrun --nproc-per-node 2 manage.py train …  the same, trained models on several devices
  manage.py train text [--steps N]               teach the text encoder what this shop's customers chose
                                                 next and found by searching
  manage.py train gcn --csv FILE                 classify the rows of a table (default: the sample)
"""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **options
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", nargs="*", help="candidates, or text, or gcn")
        parser.add_argument("--steps", type=int, help="for text: batches to learn from (300)")
        parser.add_argument("--csv", type=Path, help=f"for gcn: feature1, feature2, …, label; default {SAMPLE.name}")  # fmt: skip
        parser.add_argument(
            "--tune", type=int, default=0, metavar="N", help="try N settings of each trained model"
        )
        parser.add_argument("--windows", type=int, default=1, metavar="K", help="choose the candidate by K windows of time before the test (1)")  # fmt: skip
        parser.add_argument(
            "--afresh", action="store_true", help="do not go on with a run that was cut off"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names: list[str] = options["what"]
        if options["tune"] < 0:
            raise CommandError("--tune: a number of settings, 0 or more")
        if options["windows"] < 1:
            raise CommandError("--windows: 1 or more")
        if options["steps"] is not None and (names != ["text"] or options["steps"] < 4):
            raise CommandError("--steps: 4 or more, only for text")
        try:
            if names == ["gcn"]:
                self._classify(options["csv"] or SAMPLE)
                return
            if options["csv"]:
                raise CommandError("--csv: only for gcn")
            if names == ["text"]:
                self._text(options)
                return
            if unknown := [name for name in names if name not in CANDIDATES]:
                known = ", ".join([*CANDIDATES, "text (alone)", "gcn (alone)"])
                raise CommandError(f"unknown model {', '.join(unknown)}; known: {known}")
            asked = {
                "trials": options["tune"],
                "afresh": options["afresh"],
                "windows": options["windows"],
            }
            with joined() as leading:
                if not leading:
                    return
                result = learn(self.stdout.write, names or None, **asked)
        except CDPError as error:
            raise CommandError(str(error)) from error
        show(result)

    def _text(self, options: dict[str, Any]) -> None:
        from graph_ml.text_run import learn_text
        from graph_ml.text_training import TextSettings

        for name, usual in (("tune", 0), ("windows", 1)):
            if options[name] != usual:
                raise CommandError(f"--{name}: not for text")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise CommandError("text is taught in one process; leave torchrun out")
        steps = options["steps"]
        asked = TextSettings() if steps is None else TextSettings(steps=steps)
        found = learn_text(self.stdout.write, asked, afresh=options["afresh"])
        shown = Table(title="the text profile on held-out time")
        for name in ("encoder", "recall@20", "ndcg@20", "queries found@10"):
            shown.add_column(name)
        for name, figures in (("as it is", found.before), ("taught", found.after)):
            told = [f"{figures[key]:.4f}" for key in ("recall@20", "ndcg@20")]
            queries = int(figures["queries"])
            found_by = (
                f"{figures['queries found@10']:.4f} of {queries}" if queries else "none asked"
            )
            shown.add_row(name, *told, found_by)
        Console().print(shown)
        if not found.row.path:
            self.stdout.write(f"refused: {found.row.reason}")
            return
        self.stdout.write(f"kept in {found.row.path}; to let it serve, set UNISON_TEXT_ENCODER={found.row.path}")  # fmt: skip
        self.stdout.write(
            "and restart web and workers: search and learning read the texts anew by it"
        )

    def _classify(self, path: Path) -> None:
        from graph_ml.nodes import classify, read

        table = read(path)
        rows, features = table.features.shape
        self.stdout.write(f"{path.name}: {rows} rows, {features} features, labels {', '.join(table.classes)}")  # fmt: skip
        found = classify(table, self.stdout.write)
        shown = Table(title=f"accuracy on {found.held_out} rows held out")
        for name in ("model", "accuracy"):
            shown.add_column(name)
        shown.add_row("GCN", f"{found.gcn:.4f}")
        shown.add_row("logistic regression", f"{found.logistic_regression:.4f}")
        shown.add_row("always the commonest label", f"{found.majority:.4f}")
        Console().print(shown)


def show(result: Result) -> None:
    table = Table(title="held-out time (in brackets: validation part)")
    for name in ("model", "recall@20", "ndcg@20", "coverage@20", "seconds", "peak MB", "status"):
        table.add_column(name)
    for row in result.rows:
        figures = [_shown(row.metrics, name) for name in ("recall@20", "ndcg@20", "coverage@20")]
        served = result.serving is not None and row.pk == result.serving.pk
        spent = (f"{row.seconds:.1f}", f"{row.cost.get('peak_mb', 0):.0f}")
        table.add_row(row.model, *figures, *spent, "serving" if served else row.status)
    Console().print(table)


def _shown(metrics: dict[str, float], name: str) -> str:
    """The held-out figure; in brackets that of the validation part, where the model ended there."""
    if name in metrics:
        return f"{metrics[name]:.4f}"
    return f"({metrics[f'validation {name}']:.4f})"
