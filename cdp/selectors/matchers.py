"""The matcher that is active, and others by their number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from django.db import connection

from cdp.domain.identifiers import RECORD, Key
from cdp.domain.matching.weights import Weights
from cdp.domain.partition import Matches, ordered
from cdp.errors import CDPError
from cdp.models import Matcher, MatcherStatus, Record


@dataclass(frozen=True)
class ActiveMatcher:
    """A matcher ready to weigh records; thresholds in bits."""

    number: int
    weights: Weights
    merge_at: float
    review_at: float


def active_matcher() -> ActiveMatcher | None:
    """Plain SQL: it is asked for every record that comes."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, [MatcherStatus.ACTIVE.value])
        row = cursor.fetchone()
    return None if row is None else ActiveMatcher(row[0], _weights(row[0]), row[1], row[2])


_ACTIVE = "SELECT id, merge_at, review_at FROM cdp_matcher WHERE status = %s"


def ready(row: Matcher) -> ActiveMatcher:
    return ActiveMatcher(row.pk, _weights(row.pk), row.merge_at, row.review_at)


def merge_at() -> float:
    """The weight from which the active matcher joins; infinite where there is none."""
    found = active_matcher()
    return math.inf if found is None else found.merge_at


def all_matches() -> Matches:
    """Every stored match by the identifiers of its records."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.value, b.value, m.weight FROM cdp_match m
            JOIN cdp_identifier a ON a.id = m.a_id JOIN cdp_identifier b ON b.id = m.b_id
            """
        )
        rows = cursor.fetchall()
    weights = {ordered(Key(RECORD, a), Key(RECORD, b)): weight for a, b, weight in rows}
    return Matches(weights, merge_at())


def matcher(number: int) -> Matcher:
    """
    Raises:
        CDPError: ``no_such_matcher``.
    """
    row = Matcher.objects.filter(pk=number).first()
    if row is None:
        raise CDPError("no_such_matcher", f"there is no matcher {number}", field="matcher")
    return row


@lru_cache(maxsize=4)
def _weights(number: int) -> Weights:
    """A matcher's document never changes."""
    return Weights.of(Matcher.objects.values_list("document", flat=True).get(pk=number))


def records_of() -> list[dict[str, str]]:
    """The fields of every record, in one order for the same records."""
    rows = Record.objects.order_by("identifier__value").values_list("fields", flat=True)
    return [dict(fields) for fields in rows]
