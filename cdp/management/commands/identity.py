"""``manage.py identity explain|must|cannot|retract``: why two identifiers are one, and your word on it."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from cdp import pipeline
from cdp.domain.identifiers import Key
from cdp.errors import CDPError
from cdp.management.commands._base import told_plainly
from cdp.models import Verdict
from cdp.selectors import explain
from cdp.selectors.customers import by_identifiers, normalised


class Command(BaseCommand):
    help = (
        "explain KIND:VALUE KIND:VALUE shows the path that makes two identifiers one customer; "
        "must and cannot assert it (with --reason); retract NUMBER takes an assertion back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["explain", "must", "cannot", "retract"])
        parser.add_argument("what", nargs="+", metavar="KIND:VALUE|NUMBER")
        parser.add_argument("--reason", default="", help="why (must, cannot, retract)")
        parser.add_argument("--actor", default="", help="who says so (default: the account)")

    def handle(self, *args: Any, **options: Any) -> None:
        with told_plainly():
            actor = options["actor"] or getpass.getuser()
            if options["action"] == "retract":
                row = pipeline.retract_assertion(_number(options["what"]), actor, options["reason"])
                self.stdout.write(f"assertion {row.pk} is retracted")
                return
            a, b = _two(options["what"])
            if options["action"] == "explain":
                self._explain(a, b)
                return
            verdict = Verdict.MUST_LINK if options["action"] == "must" else Verdict.CANNOT_LINK
            row = pipeline.assert_link(a, b, verdict, actor, options["reason"])
            self.stdout.write(
                f"assertion {row.pk}: {row.verdict} {a.kind}:{a.value} {b.kind}:{b.value}"
            )

    def _explain(self, a: Key, b: Key) -> None:
        found = by_identifiers([a, b])
        for key in (a, b):
            if key not in found:
                raise CDPError("no_such_identifier", f"{key.kind} {key.value} was never seen")
        if found[a].customer != found[b].customer:
            self.stdout.write(f"two customers: {found[a].customer} and {found[b].customer}")
            return
        self.stdout.write(f"one customer: {found[a].customer}")
        for step in explain.path(found[a].identifier.id, found[b].identifier.id):
            event = step.event
            shown = (
                f"{event.type} {event.name} of {event.occurred_at:%Y-%m-%d}"
                if event
                else "an assertion"
            )
            self.stdout.write(f"  {step.a} – {step.b}: {shown} (seen together {step.count} times)")


def _two(what: list[str]) -> tuple[Key, Key]:
    if len(what) != 2 or not all(":" in one for one in what):
        raise CDPError("bad_identifier", "name two identifiers as KIND:VALUE", field="what")
    a, b = (one.split(":", 1) for one in what)
    region = settings.DEFAULT_PHONE_REGION
    return normalised(a[0], a[1], region), normalised(b[0], b[1], region)


def _number(what: list[str]) -> int:
    if len(what) != 1 or not what[0].isdigit():
        raise CDPError("no_such_assertion", "name one assertion by its number", field="what")
    return int(what[0])
