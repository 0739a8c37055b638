"""``manage.py import_events FILE --source NAME``: history from JSON Lines, Parquet or CSV."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from cdp import pipeline
from cdp.domain.importing import message, parse_map
from cdp.errors import CDPError
from cdp.management.commands._base import progress, told_plainly
from cdp.models import Source
from cdp.selectors import files


class Command(BaseCommand):
    help = (
        "Import events. A row is a message of the tracking contract, or is made one by --map, "
        "for example: --map member=id.loyalty_card --map when=timestamp --set type=track. "
        "Interrupted, the same command goes on where it stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--source", required=True, help="the source's name (see: manage.py source)"
        )
        parser.add_argument(
            "--map", action="append", default=[], metavar="COLUMN=TARGET",
            help="put a column where the contract has it (userId, id.email, properties.sku, …)",
        )  # fmt: skip
        parser.add_argument(
            "--set", action="append", default=[], metavar="TARGET=VALUE",
            help="the same value for every row",
        )  # fmt: skip
        parser.add_argument(
            "--wait", action="store_true", help="also work through the pipeline here"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with told_plainly():
            self._import(**options)

    def _import(self, *, file: Path, source: str, wait: bool, **options: Any) -> None:
        mapping = parse_map(options["map"])
        constants = _constants(options["set"])
        total = files.count(file)
        row = Source.objects.filter(name=source).first()
        if row is None:
            raise CDPError(
                "no_such_source",
                f"make it first: manage.py source {source} CHANNEL",
                field="--source",
            )
        run = pipeline.start_import(
            row, files.fingerprint(file, [mapping, constants] if mapping or constants else None)
        )
        if run.rows_done:
            self.stdout.write(f"going on after {run.rows_done} rows done before")
        with progress() as bar:
            task = bar.add_task("events", total=total, completed=run.rows_done)
            messages = _messages(file, mapping, constants)
            pipeline.import_events(run, messages, lambda n: bar.advance(task, n))
        self.stdout.write(
            f"{run.rows_done} rows: {run.accepted} kept, {run.duplicates} already there, "
            f"{run.quarantined} refused (see Quarantine in the admin)"
        )
        if wait:
            drained = pipeline.drain()
            self.stdout.write(f"worked through {drained} messages of the outbox")


def _messages(file: Path, mapping: dict[str, str], constants: dict[str, str]) -> Iterator[object]:
    for row in files.rows(file):
        if isinstance(row, files.Broken):
            yield row
            continue
        try:
            yield message(row, mapping, constants)
        except (CDPError, ValueError, OverflowError) as error:
            yield files.Broken(0, str(error)[:200], repr(row)[:2000].replace("\0", "\\0"))


def _constants(pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise CDPError("bad_constant", f"{pair!r} is not TARGET=VALUE", field="--set")
    return dict(pair.split("=", 1) for pair in pairs)
