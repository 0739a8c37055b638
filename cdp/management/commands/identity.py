"""``manage.py identity …``: why two identifiers are one, your word on it, and the rules."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cdp import changing, deciding
from cdp.domain import rules_file
from cdp.domain.identifiers import Key
from cdp.errors import CDPError
from cdp.management.commands._base import steps, told_plainly
from cdp.models import Matcher, RuleSet, Verdict
from cdp.selectors import explain, matchers, reviews, stats
from cdp.selectors.customers import normalised
from cdp.selectors.rules import active_rules, rule_set, rules_of


class Command(BaseCommand):
    help = "Look into identities, speak about them, and change the rules by which they are joined."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        def action(name: str, about: str) -> ArgumentParser:
            made: ArgumentParser = actions.add_parser(name, help=about, description=about)
            return made

        two = "two identifiers, as KIND:VALUE"
        found = action(
            "explain", "the path that makes two identifiers one customer, or what parts them"
        )
        found.add_argument("what", nargs=2, metavar="KIND:VALUE", help=two)
        for name, about in (
            ("must", "assert that two are one customer"),
            ("cannot", "assert that two never are"),
        ):
            found = action(name, about)
            found.add_argument("what", nargs=2, metavar="KIND:VALUE", help=two)
            _said_by(found)
        found = action(
            "retract", "take an assertion back; everything becomes what it is without it"
        )
        found.add_argument("number", type=int)
        _said_by(found)
        found = action(
            "rules", "export the rules as YAML, import them as a draft, or list the versions"
        )
        found.add_argument("do", choices=["export", "import", "list"])
        found.add_argument("--file", type=Path, help="the YAML file (default: the terminal)")
        found.add_argument(
            "--number", type=int, help="export this version (default: those that hold)"
        )
        _said_by(found)
        found = action(
            "simulate", "replay the real evidence under changed rules; nothing is changed"
        )
        which = found.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--rules", type=Path, metavar="FILE", help="a YAML file; kept as a draft"
        )
        which.add_argument("--number", type=int, help="a draft already kept")
        found.add_argument("--json", action="store_true", help="print the whole report as JSON")
        _said_by(found)
        for name, about in (
            ("apply", "make a simulated draft the rules that hold"),
            ("discard", "drop a draft"),
        ):
            found = action(name, about)
            found.add_argument("number", type=int)
            _said_by(found)
        action("expire", "let links expire that were not seen for as long as the rules say")
        found = action(
            "train", "learn from all records by what two of one person differ; kept as a candidate"
        )
        found.add_argument("--adopt", action="store_true", help="and make it the active one")
        found.add_argument("--backend", choices=["duckdb", "spark"], help="where Splink trains")
        _thresholds(found)
        found = action("adopt", "make a matcher the active one and match all records by it")
        found.add_argument("number", type=_number_or_none, metavar="NUMBER|none")
        found.add_argument("--simulate", action="store_true", help="only say what would change")
        found.add_argument("--json", action="store_true", help="print the whole report as JSON")
        _thresholds(found)
        action("matchers", "list the matchers, and how good the active one is by people's labels")
        found = action("stats", "customers, the largest ones, shared identifiers, what waits")
        found.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        self.actor = options.get("actor") or getpass.getuser()
        self.reason = options.get("reason") or ""
        with told_plainly():
            getattr(self, f"_{options['action']}")(options)

    def _explain(self, options: dict[str, Any]) -> None:
        found = explain.explain(*_two(options["what"]))
        if found.one:
            self.stdout.write(f"one customer: {found.customers[0]}")
        else:
            self.stdout.write("two customers: " + " and ".join(map(str, found.customers)))
            self.stdout.write(f"  {found.reason}")
        for step in found.steps:
            self.stdout.write(f"  {step}")

    def _must(self, options: dict[str, Any]) -> None:
        self._assert(options, Verdict.MUST_LINK)

    def _cannot(self, options: dict[str, Any]) -> None:
        self._assert(options, Verdict.CANNOT_LINK)

    def _assert(self, options: dict[str, Any], verdict: Verdict) -> None:
        a, b = _two(options["what"])
        row = deciding.assert_link(a, b, verdict, self.actor, self.reason)
        self.stdout.write(
            f"assertion {row.pk}: {row.verdict} {a.kind}:{a.value} {b.kind}:{b.value}"
        )

    def _retract(self, options: dict[str, Any]) -> None:
        row = deciding.retract_assertion(options["number"], self.actor, self.reason)
        self.stdout.write(f"assertion {row.pk} is retracted")

    def _rules(self, options: dict[str, Any]) -> None:
        if options["do"] == "list":
            for row in RuleSet.objects.order_by("pk"):
                self.stdout.write(
                    f"{row.pk:5} {row.status:10} {row.created_at:%Y-%m-%d} {row.actor}: {row.reason}"
                )
            return
        if options["do"] == "export":
            rules = rules_of(rule_set(options["number"])) if options["number"] else active_rules()
            _write(options["file"], rules_file.write(rules))
            return
        row = changing.draft_rules(
            rules_file.read(_read(options["file"])),
            self.actor,
            self.reason or "imported from a file",
        )
        self.stdout.write(
            f"rules {row.pk} are a draft; next: manage.py identity simulate --number {row.pk}"
        )

    def _simulate(self, options: dict[str, Any]) -> None:
        number = options["number"]
        if number is None:
            document = rules_file.read(_read(options["rules"]))
            number = changing.draft_rules(document, self.actor, self.reason or "simulated").pk
        with steps() as advance:
            row = changing.simulate_rules(number, advance)
        report = row.simulation or {}
        if options["json"]:
            self.stdout.write(json.dumps({"rules": row.pk, **report}, indent=1))
            return
        self._show(report)
        self.stdout.write(
            f"nothing is changed; next: manage.py identity apply {row.pk}   or   discard {row.pk}"
        )

    def _apply(self, options: dict[str, Any]) -> None:
        with steps() as advance:
            row = changing.apply_rules(options["number"], self.actor, advance)
        outcome, foretold = row.outcome or {}, row.simulation or {}
        self._show(outcome)
        same = outcome.get("digest") == foretold.get("digest")
        self.stdout.write(f"rules {row.pk} hold now; " + (
            "exactly what the simulation said"
            if same
            else "other than simulated: evidence came in between (compare the figures)"
        ))  # fmt: skip

    def _discard(self, options: dict[str, Any]) -> None:
        row = changing.discard_rules(options["number"], self.actor)
        self.stdout.write(f"rules {row.pk} are discarded")

    def _expire(self, options: dict[str, Any]) -> None:
        with steps() as advance:
            asked = changing.expire_links(advance)
        self.stdout.write("expired links no longer join" if asked else "no rule lets links expire")

    def _train(self, options: dict[str, Any]) -> None:
        from cdp.matching.run import DEFAULT, train_matcher  # Splink: only who trains loads it

        chosen = _chosen(options, DEFAULT)
        made = train_matcher(self.actor, self.stderr.write, chosen, options["backend"])
        self.stdout.write(
            f"matcher {made.pk}: {made.records} records, joins from {made.merge_at:g} bits, "
            f"asks a person from {made.review_at:g}"
        )
        self.stdout.write(spread(made))
        if untaught := made.report["untaught"]:
            self.stdout.write(
                "levels without enough examples, on a default: " + "; ".join(untaught)
            )
        if options["adopt"]:
            self._adopted(made.pk, chosen, simulate=False, whole=False)
        else:
            self.stdout.write(f"next: manage.py identity adopt {made.pk} [--simulate]")

    def _adopt(self, options: dict[str, Any]) -> None:
        number, chosen = options["number"], None
        if number is not None:
            row = matchers.matcher(number)
            chosen = _chosen(options, changing.Thresholds(row.merge_at, row.review_at))
        self._adopted(number, chosen, simulate=options["simulate"], whole=options["json"])

    def _adopted(
        self, number: int | None, chosen: changing.Thresholds | None, *, simulate: bool, whole: bool
    ) -> None:
        with steps() as advance:
            if number is None:
                row = changing.retire_matcher(self.actor, advance, simulate)
            else:
                row = changing.adopt_matcher(number, self.actor, advance, chosen, simulate)
        if whole:
            self.stdout.write(json.dumps({"matcher": row.pk, **row.report["changed"]}, indent=1))
            return
        self._show(row.report["changed"])
        self.stdout.write("nothing is changed" if simulate else f"matcher {row.pk} is {row.status}")

    def _matchers(self, options: dict[str, Any]) -> None:
        for row in Matcher.objects.defer("document").order_by("pk"):
            self.stdout.write(
                f"{row.pk:5} {row.status:10} {row.trained_at:%Y-%m-%d} {row.records} records, "
                f"{row.merge_at:g}/{row.review_at:g} bits, {row.backend}, {row.actor}"
            )
        for name, value in reviews.quality().items():
            self.stdout.write(f"{name:22} {reviews.figure(value)}")

    def _stats(self, options: dict[str, Any]) -> None:
        found = stats.identity_stats()
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=1))
            return
        for name, value in found.items():
            if isinstance(value, list):
                self.stdout.write(f"{name}:")
                for row in value:
                    self.stdout.write("  " + "  ".join(f"{k} {v}" for k, v in row.items()))
            else:
                self.stdout.write(f"{name:34} {value}")

    def _show(self, report: dict[str, Any]) -> None:
        for name in ("customers_before", "customers_after", "merged", "split", "renamed",
                     "turned_shared", "no_longer_shared", "moved", "appeared", "vanished"):  # fmt: skip
            self.stdout.write(f"{name:18} {report[name] or 0}")
        for name, samples in report["samples"].items():
            for one in samples[:5]:
                self.stdout.write(f"  {name}: {_sample(one)}")


def _sample(one: str | dict[str, Any]) -> str:
    if isinstance(one, str):
        return one
    if "customers" in one:
        return f"{' + '.join(one['customers'])} because {' – '.join(one['path'])}"
    refused = "; ".join(one["now_refused"]) or "no link counts any more"
    return f"{one['customer']} into {', '.join(one['into'])}: {refused}"


def _thresholds(parser: ArgumentParser) -> None:
    parser.add_argument("--merge", type=float, metavar="BITS", help="two records join from here on")
    parser.add_argument(
        "--review", type=float, metavar="BITS", help="a person is asked from here on"
    )
    parser.add_argument("--actor", default="", help="who says so (default: the account)")


def _chosen(options: dict[str, Any], otherwise: changing.Thresholds) -> changing.Thresholds:
    merge, review = options["merge"], options["review"]
    return changing.Thresholds(
        otherwise.merge_at if merge is None else merge,
        otherwise.review_at if review is None else review,
    )


def spread(row: Matcher) -> str:
    """How many pairs each matching action of this matcher would concern."""
    bits = {int(b): n for b, n in row.report["spread"].items()}
    joins = sum(n for b, n in bits.items() if b >= row.merge_at)
    asks = sum(n for b, n in bits.items() if row.review_at <= b < row.merge_at)
    return f"{row.report['pairs']} pairs weighed: {joins} join, {asks} lie between"


def _number_or_none(text: str) -> int | None:
    return None if text == "none" else int(text)


def _said_by(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", default="", help="why; kept in the ledger")
    parser.add_argument("--actor", default="", help="who says so (default: the account)")


def _read(path: Path | None) -> str:
    try:
        return sys.stdin.read() if path is None else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read {path}: {error}") from error


def _write(path: Path | None, text: str) -> None:
    try:
        if path is None:
            sys.stdout.write(text)
        else:
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error}") from error


def _two(what: list[str]) -> tuple[Key, Key]:
    if not all(":" in one for one in what):
        raise CDPError("bad_identifier", "name two identifiers as KIND:VALUE", field="what")
    a, b = (one.split(":", 1) for one in what)
    region = settings.DEFAULT_PHONE_REGION
    return normalised(a[0], a[1], region), normalised(b[0], b[1], region)
