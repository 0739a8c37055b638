"""Pairs of records that wait for a person, what is shown of them, and what labels say of the
matcher that asked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from cdp.domain.matching.weights import Part
from cdp.models import Identifier, Label, Match, Record
from cdp.selectors.matchers import ActiveMatcher, active_matcher, known_records, merge_at, one_way

# One pair stands for all between the same two customers: the heaviest. Customers that somebody
# keeps apart already are not asked about again.
_WAITING = """
    WITH parted AS MATERIALIZED (
        SELECT DISTINCT least(x.customer_id, y.customer_id) AS one,
               greatest(x.customer_id, y.customer_id) AS other
        FROM cdp_assertion w JOIN cdp_identifier x ON x.id = w.a_id
        JOIN cdp_identifier y ON y.id = w.b_id
        WHERE w.retracted_at IS NULL AND w.verdict = 'cannot_link')
    SELECT id FROM (
        SELECT DISTINCT ON (least(a.customer_id, b.customer_id), greatest(a.customer_id, b.customer_id))
               m.id, m.weight
        FROM cdp_match m JOIN cdp_identifier a ON a.id = m.a_id JOIN cdp_identifier b ON b.id = m.b_id
        WHERE m.verdict IN ('review', 'unlike') AND a.customer_id <> b.customer_id
              AND NOT EXISTS (
                  SELECT FROM parted p WHERE p.one = least(a.customer_id, b.customer_id)
                         AND p.other = greatest(a.customer_id, b.customer_id))
        ORDER BY least(a.customer_id, b.customer_id), greatest(a.customer_id, b.customer_id),
                 m.weight DESC, m.id) AS heaviest
"""
_LINKED = """
    SELECT m.id FROM cdp_match m WHERE m.verdict = 'linked' AND NOT EXISTS (
        SELECT FROM cdp_label l JOIN cdp_assertion w ON w.id = l.assertion_id
        WHERE l.a_id = m.a_id AND l.b_id = m.b_id AND w.retracted_at IS NULL)
    ORDER BY md5(m.a_id::text || '-' || m.b_id::text)
"""
# Pairs that were refused although they are heavy are no sample of those joined.
_SORTED = """
    SELECT CASE WHEN m.weight < %s THEN 'review' ELSE 'linked' END, l.same
    FROM cdp_label l JOIN cdp_assertion w ON w.id = l.assertion_id
    JOIN cdp_match m ON m.a_id = l.a_id AND m.b_id = l.b_id
    WHERE w.retracted_at IS NULL AND l.shown_as <> 'unlike'
"""
CONFIDENCE = 1.96


@dataclass(frozen=True)
class Side:
    """One record of the pair, and the customer it belongs to."""

    identifier: Identifier
    fields: dict[str, str]
    others: list[Identifier]


@dataclass(frozen=True)
class Review:
    """Two records side by side, and what each comparison adds to their weight."""

    match: Match
    sides: tuple[Side, Side]
    parts: list[Part]


def waiting(after: Iterable[int] = ()) -> int | None:
    """The heaviest match that waits for a person, those named left out; None: nothing waits."""
    return _first(f"{_WAITING} WHERE NOT id = ANY (%s) ORDER BY weight DESC, id LIMIT 1", after)


def sampled(after: Iterable[int] = ()) -> int | None:
    """The next of a fixed random order of pairs that the matcher joined and nobody looked at."""
    skipped = set(after)
    rows = _all(f"{_LINKED} LIMIT %s", [len(skipped) + 1])
    return next((id_ for (id_,) in rows if id_ not in skipped), None)


def backlog() -> int:
    return int(_all(f"SELECT count(*) FROM ({_WAITING}) AS w", [])[0][0])


def review(match: int) -> Review | None:
    """What a reviewer looks at; None when the match is gone or no matcher is active."""
    rows = Match.objects.select_related("a__identifier", "b__identifier")
    row = rows.filter(pk=match).first()
    matcher = active_matcher()
    if row is None or matcher is None:
        return None
    one, two = _side(row.a), _side(row.b)
    return Review(row, (one, two), _parts(matcher, one, two))


def live_label(a: int, b: int) -> Label | None:
    live = Label.objects.filter(a_id=a, b_id=b, assertion__retracted_at=None)
    return live.select_related("assertion").first()


def _side(record: Record) -> Side:
    identifier = record.identifier
    mine = Identifier.objects.filter(customer=identifier.customer_id or 0)
    others = mine.exclude(pk=identifier.pk).exclude(kind=identifier.kind)
    return Side(identifier, record.fields, list(others.order_by("kind", "value")[:12]))


def _parts(matcher: ActiveMatcher, one: Side, two: Side) -> list[Part]:
    known = known_records(matcher, {one.identifier.pk, two.identifier.pk})
    a, b = one_way(known[one.identifier.pk], known[two.identifier.pk])
    return matcher.weights.parts(a.fields, b.fields)


@dataclass(frozen=True)
class Share:
    """A share with the interval in which it lies (Wilson, 95 %); ``of``: how many were labelled."""

    value: float
    low: float
    high: float
    of: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}; {self.of} labels)"


def share(right: int, of: int) -> Share | None:
    """Wilson's score interval; None without any."""
    if not of:
        return None
    p, z = right / of, CONFIDENCE
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return Share(p, max(0.0, middle - half), min(1.0, middle + half), of)


def figure(value: object) -> str:
    """One of ``quality``'s figures for people."""
    return "–" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def quality() -> dict[str, Any]:
    """Precision and recall at both thresholds, estimated from the live labels.

    A label counts for what its pair weighs now. Pairs joined are labelled from a random sample,
    pairs between from the heaviest on, so that their share is too high until the queue is done.
    Each share counts for as many pairs as there are of its sort. Recall is of the pairs from
    ``review_at`` on: what no matcher ever showed nobody has labelled.
    """
    rows = _all(_SORTED, [merge_at()])
    said = {
        sort: share(sum(same for s, same in rows if s == sort), sum(s == sort for s, _ in rows))
        for sort in ("linked", "review")
    }
    counts = dict(_all("SELECT verdict, count(*) FROM cdp_match GROUP BY 1", []))
    linked, review_ = said["linked"], said["review"]
    joined, asked = counts.get("linked", 0), counts.get("review", 0)
    found: dict[str, Any] = {
        "labels": len(rows), "pairs_joined": joined, "pairs_between": asked,
        "precision_at_merge": linked, "same_between": review_,
        "precision_at_review": None, "recall_at_merge": None,
    }  # fmt: skip
    if linked and review_ and joined + asked:
        right, between = joined * linked.value, asked * review_.value
        found["precision_at_review"] = (right + between) / (joined + asked)
        found["recall_at_merge"] = right / (right + between) if right + between else None
    return found


def _first(query: str, skipped: Iterable[int]) -> int | None:
    rows = _all(query, [list(skipped)])
    return int(rows[0][0]) if rows else None


def _all(query: str, parameters: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[Any] = cursor.fetchall()
        return rows
