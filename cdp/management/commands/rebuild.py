"""``manage.py rebuild graph|profiles|identity [--check]``: derived stores anew from PostgreSQL."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cdp import changing, pipeline
from cdp.management.commands._base import steps, told_plainly

CHECKS: dict[str, Callable[[], dict[str, tuple[int, list[str]]]]] = {
    "graph": pipeline.check_graph,
    "profiles": pipeline.check_profiles,
    "identity": lambda: changing.check_identity(lambda name, count: None),
}


class Command(BaseCommand):
    help = "Rebuild the graph, the profiles or the identities; with --check only report differences (exit 1 on any)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["graph", "profiles", "identity"])
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with told_plainly():
            if options["check"]:
                self._check(options["what"])
            else:
                self._rebuild(options["what"])

    def _rebuild(self, what: str) -> None:
        with steps() as advance:
            if what == "graph":
                pipeline.rebuild_graph(advance)
            elif what == "identity":
                changing.rebuild_identity(getpass.getuser(), advance)
            else:
                pipeline.rebuild_profiles(advance)
        self.stdout.write(f"{what}: rebuilt")

    def _check(self, what: str) -> None:
        found = CHECKS[what]()
        for name, (count, examples) in found.items():
            self.stdout.write(f"{what} {name}: {count} differences")
            for example in examples:
                self.stdout.write(f"  {example}")
        total = sum(count for count, _ in found.values())
        if total:
            raise CommandError(f"{what}: {total} differences")
        self.stdout.write(f"{what}: 0 differences")
