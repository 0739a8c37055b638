"""Keep a trained matcher; make one the matcher that is active, and match all records anew."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
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
SCHEDULE, KEPT = "schedule", 3


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
    """A candidate; it does nothing until it is adopted. Of those that nobody asked for only the
    newest few are kept."""
    if actor == SCHEDULE:
        old = Matcher.objects.filter(actor=SCHEDULE, status=MatcherStatus.CANDIDATE, doing="")
        Matcher.objects.filter(
            pk__in=list(old.order_by("-pk").values_list("pk", flat=True)[KEPT - 1 :])
        ).delete()
    return Matcher.objects.create(
        document=dict(document), merge_at=thresholds.merge_at, review_at=thresholds.review_at,
        records=records, backend=backend, actor=actor, report=dict(report),
    )  # fmt: skip


def asked(number: int) -> Matcher:
    """Note that a worker shall adopt it; ``doing`` is the one request that stands.

    Raises:
        CDPError: ``no_such_matcher``, ``busy``.
    """
    row = matcher(number, lock=True)
    if row.doing:
        raise CDPError("busy", f"matcher {number} waits for a worker to adopt it")
    row.doing, row.error = f"adopt {secrets.token_hex(4)}", ""
    row.save(update_fields=["doing", "error"])
    return row


def stands(number: int, request: str) -> bool:
    """Is this request still to be done? One that was done before its message went is not."""
    return Matcher.objects.filter(pk=number, doing=request).exists()


def failed(number: int, error: CDPError) -> None:
    """A worker could not adopt it; people shall see why."""
    Matcher.objects.filter(pk=number).update(doing="", error=str(error))


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
    row.doing, row.error = "", ""
    row.save(
        update_fields=[
            "status", "adopted_at", "adopted_by", "merge_at", "review_at", "doing", "error"
        ]
    )  # fmt: skip
    said = f"matcher {number}: joins from {row.merge_at:g}, asks from {row.review_at:g} bits"

    def weigh() -> None:
        found = matching.everything(ready(row), keep=True)
        advance("pairs", len(found.weights))

    applied, rehung, changed = _judge_anew(weigh, said, Cause(actor, f"matcher {number}"), advance)
    row.report = {**row.report, "changed": changed}
    row.save(update_fields=["report"])
    return Adopted(row, applied, rehung)


def retire_matcher(actor: str, advance: Advance) -> Adopted:
    """Do without: what only matches joined comes apart, in the caller's transaction.

    Raises:
        CDPError: ``no_such_matcher`` when none is active.
    """
    change_rules_alone()
    row = Matcher.objects.filter(status=MatcherStatus.ACTIVE).first()
    if row is None:
        raise CDPError("no_such_matcher", "no matcher is active", field="matcher")
    Matcher.objects.filter(pk=row.pk).update(status=MatcherStatus.RETIRED)
    cause = Cause(actor, f"matcher {row.pk}")
    said = f"matcher {row.pk} is retired; records are not matched"
    applied, rehung, changed = _judge_anew(matching.forget, said, cause, advance)
    row.status, row.report = MatcherStatus.RETIRED, {**row.report, "changed": changed}
    row.save(update_fields=["report"])
    return Adopted(row, applied, rehung)


def _judge_anew(
    weigh: Callable[[], None], said: str, cause: Cause, advance: Advance
) -> tuple[Applied, list[Rehung], dict[str, Any]]:
    before = comparison.stored_state()
    weigh()
    rules = active_rules()
    write_ledger([Entry(What.RULES, reason=said)], cause, rules.version)
    applied = evaluate_everything(rules, cause)
    rehung = rehang_all(rules)
    after = comparison.stored_state()
    advance("customers", len(set(after.anchor.values())))
    return applied, rehung, comparison.report(before, after, stored.everything(rules))
