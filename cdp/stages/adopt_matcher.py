"""Keep a trained matcher; make one the matcher that is active, and match all records anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from cdp.errors import CDPError
from cdp.identity import comparison, matching, stored
from cdp.identity.evaluate import Applied, evaluate_everything
from cdp.identity.history import Advance
from cdp.identity.ledger import Cause, Entry
from cdp.identity.ledger import write as write_ledger
from cdp.identity.locks import change_rules_alone
from cdp.identity.subjects import Rehung, rehang_all
from cdp.models import Matcher, MatcherStatus, What
from cdp.selectors.matchers import matcher, ready
from cdp.selectors.rules import active_rules

STRONGEST = 100.0


@dataclass
class Adopted:
    """The matcher, and what adopting it changed."""

    matcher: Matcher
    applied: Applied
    rehung: list[Rehung]


@dataclass(frozen=True)
class Thresholds:
    """In bits: from ``merge_at`` on records join, from ``review_at`` on a person is asked.

    Raises:
        CDPError: ``bad_thresholds`` naming the one at fault.
    """

    merge_at: float
    review_at: float

    def __post_init__(self) -> None:
        for name, value in (("merge_at", self.merge_at), ("review_at", self.review_at)):
            if not 0 <= value <= STRONGEST:
                raise CDPError(
                    "bad_thresholds", f"{name} must be from 0 to {STRONGEST:.0f} bits", field=name
                )
        if self.review_at > self.merge_at:
            raise CDPError(
                "bad_thresholds", "review_at must not be above merge_at", field="review_at"
            )


def keep_matcher(
    document: Mapping[str, Any],
    thresholds: Thresholds,
    *,
    records: int,
    backend: str,
    actor: str,
    report: Mapping[str, Any],
) -> Matcher:
    """A candidate; it does nothing until it is adopted."""
    return Matcher.objects.create(
        document=dict(document), merge_at=thresholds.merge_at, review_at=thresholds.review_at,
        records=records, backend=backend, actor=actor, report=dict(report),
    )  # fmt: skip


def asked(number: int, do: str) -> Matcher:
    """Note that a worker shall do this.

    Raises:
        CDPError: ``no_such_matcher``, ``busy``.
    """
    row = matcher(number)
    if row.doing:
        raise CDPError("busy", f"matcher {number} waits for a worker to {row.doing} it")
    row.doing, row.error = do, ""
    row.save(update_fields=["doing", "error"])
    return row


def failed(number: int, error: CDPError | None) -> None:
    """A worker is done with it: well, or with the error that people shall see."""
    Matcher.objects.filter(pk=number).update(doing="", error=str(error) if error else "")


def adopt_matcher(
    number: int, actor: str, thresholds: Thresholds | None, advance: Advance
) -> Adopted:
    """Weigh every pair of records by this matcher and judge all identities anew, in the caller's
    transaction. The active one can be adopted again, to move its thresholds.

    Raises:
        CDPError: ``no_such_matcher``.
    """
    change_rules_alone()
    row = matcher(number)
    Matcher.objects.filter(status=MatcherStatus.ACTIVE).update(status=MatcherStatus.RETIRED)
    if thresholds is not None:
        row.merge_at, row.review_at = thresholds.merge_at, thresholds.review_at
    row.status, row.adopted_at, row.adopted_by = MatcherStatus.ACTIVE, timezone.now(), actor
    row.save(update_fields=["status", "adopted_at", "adopted_by", "merge_at", "review_at"])
    before = comparison.stored_state()
    found = matching.everything(ready(row), keep=True)
    advance("pairs", len(found.weights))
    rules, cause = active_rules(), Cause(actor, f"matcher {number}")
    said = f"matcher {number}: joins from {row.merge_at:g}, asks from {row.review_at:g} bits"
    write_ledger([Entry(What.RULES, reason=said)], cause, rules.version)
    applied = evaluate_everything(rules, cause)
    rehung = rehang_all(rules)
    after = comparison.stored_state()
    advance("customers", len(set(after.anchor.values())))
    changed = comparison.report(before, after, stored.everything(rules))
    row.report = {**row.report, "changed": changed}
    row.save(update_fields=["report"])
    return Adopted(row, applied, rehung)
