"""The matcher that is active, and others by their number."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from django.db import connection

from cdp.domain.identifiers import RECORD, Key
from cdp.domain.matching import blocking
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
    return Matches(weights, merge_at(), weigher())


@dataclass(frozen=True)
class Ready:
    """A record prepared for one matcher. ``value``: its identifier's, by which pairs are ordered."""

    id: int
    value: str
    fields: dict[str, str | None]
    kinds: Mapping[str, str]

    @cached_property
    def keys(self) -> list[int]:
        """Asked of those that come, seldom of those that are there."""
        return sorted({_hashed(key) for key in blocking.keys(self.fields, self.kinds)})


def weigh(matcher: ActiveMatcher, a: Ready, b: Ready) -> float:
    """In bits."""
    one, two = one_way(a, b)
    return matcher.weights.weight(one.fields, two.fields)


def one_way(a: Ready, b: Ready) -> tuple[Ready, Ready]:
    """Always the same way round, whatever the order of arrival: not every measure of likeness is
    symmetric."""
    return (a, b) if a.value < b.value else (b, a)


def weigher(records: Mapping[Key, int] | None = None) -> Callable[[Key, Key], float]:
    """Weighs any two records by the active matcher: of those named with their ids, or of all. Both
    are read when the first pair is asked for, which is seldom."""

    @cache
    def at_hand() -> tuple[ActiveMatcher | None, dict[str, Ready]]:
        matcher = active_matcher()
        if matcher is None:
            return None, {}
        ids = _ids() if records is None else set(records.values())
        return matcher, {one.value: one for one in known_records(matcher, ids).values()}

    def weighed(a: Key, b: Key) -> float:
        matcher, known = at_hand()
        return 0.0 if matcher is None else weigh(matcher, known[a.value], known[b.value])

    return weighed


def known_records(matcher: ActiveMatcher, ids: set[int]) -> dict[int, Ready]:
    """Records that are there; they never change, so they are kept at hand."""
    found = {id_: one for id_ in ids if (one := _AT_HAND.get((matcher.number, id_)))}
    if missing := sorted(ids - found.keys()):
        with connection.cursor() as cursor:
            cursor.execute(_SOME, [missing])
            rows = cursor.fetchall()
        if len(_AT_HAND) > CACHED:
            _AT_HAND.clear()
        for row in rows:
            found[row[0]] = _AT_HAND[matcher.number, row[0]] = ready_record(matcher, *row)
    return found


CACHED = 200_000
_AT_HAND: dict[tuple[int, int], Ready] = {}
_SOME = """
    SELECT r.identifier_id, i.value, r.fields::text FROM cdp_record r
    JOIN cdp_identifier i ON i.id = r.identifier_id WHERE r.identifier_id = ANY (%s)
"""


def _ids() -> set[int]:
    return set(Record.objects.values_list("pk", flat=True))


def ready_record(matcher: ActiveMatcher, id_: int, value: str, fields: str) -> Ready:
    weights = matcher.weights
    return Ready(id_, value, weights.full(json.loads(fields)), weights.kinds)


def _hashed(key: str) -> int:
    """A key as PostgreSQL's bigint; two that fall together only make one block larger."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def matcher(number: int, *, lock: bool = False) -> Matcher:
    """
    Raises:
        CDPError: ``no_such_matcher``.
    """
    rows = Matcher.objects.select_for_update() if lock else Matcher.objects.all()
    row = rows.filter(pk=number).first()
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
