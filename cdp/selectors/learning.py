"""How recommendations do: drift since what serves was learned, and what became of slates shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from cdp.domain.drift import deciles, psi
from cdp.models import Artifact
from cdp.selectors.slates import serving_artifact

LEARNED_FROM = timedelta(days=28)
CLICK_WITHIN = timedelta(hours=24)
PURCHASE_WITHIN = timedelta(days=7)
SCORES = 10_000

# What each side of the moment of learning held, by verb, channel and category.
_INPUTS = """
    SELECT e.received_at >= %s AS after, e.verb, e.channel, coalesce(nullif(p.category, ''), 'none'),
           count(*)
    FROM cdp_interaction i JOIN cdp_event e ON e.id = i.event_id
    LEFT JOIN cdp_product p ON p.sku = i.sku
    WHERE e.received_at >= %s GROUP BY 1, 2, 3, 4
"""
_FIRST_SCORES = """
    SELECT (items->0->>'score')::float FROM cdp_slate
    WHERE artifact_id = %s AND customer_id IS NOT NULL AND computed_at {side} %s
    ORDER BY id DESC LIMIT %s
"""
# Each slate shown to a customer, and whether they looked at or bought any of its products after it.
_OUTCOMES = """
    SELECT (x.detail->>'artifact')::bigint, x.channel, count(*),
        count(*) FILTER (WHERE EXISTS (
            SELECT FROM cdp_identifier d JOIN cdp_event e ON e.subject_id = d.id
            JOIN cdp_interaction i ON i.event_id = e.id
            WHERE d.customer_id = s.customer_id AND e.verb IN ('viewed', 'added')
              AND x.detail->'items' ? i.sku
              AND e.occurred_at > x.occurred_at AND e.occurred_at <= x.occurred_at + %s)),
        count(*) FILTER (WHERE EXISTS (
            SELECT FROM cdp_identifier d JOIN cdp_event e ON e.subject_id = d.id
            JOIN cdp_interaction i ON i.event_id = e.id
            WHERE d.customer_id = s.customer_id AND e.verb = 'purchased'
              AND x.detail->'items' ? i.sku
              AND e.occurred_at > x.occurred_at AND e.occurred_at <= x.occurred_at + %s)),
        count(*) FILTER (WHERE x.detail ? 'explored'),
        count(*) FILTER (WHERE x.detail ? 'explored' AND EXISTS (
            SELECT FROM cdp_identifier d JOIN cdp_event e ON e.subject_id = d.id
            JOIN cdp_interaction i ON i.event_id = e.id
            WHERE d.customer_id = s.customer_id AND e.verb IN ('viewed', 'added')
              AND x.detail->'explored' ? i.sku
              AND e.occurred_at > x.occurred_at AND e.occurred_at <= x.occurred_at + %s))
    FROM cdp_exposure x JOIN cdp_identifier s ON s.id = x.identifier_id
    WHERE x.kind = 'slate' AND x.occurred_at >= %s AND x.occurred_at < %s
      AND s.customer_id IS NOT NULL AND NOT s.shared
    GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Outcome:
    """Slates of one artifact shown on one channel, and how many led on; ``explored``: how many held
    a product that ranked too low to be shown, ``found``: in how many that one was looked at."""

    artifact: int
    channel: str
    shown: int
    clicked: int
    purchased: int
    explored: int = 0
    found: int = 0


@dataclass(frozen=True)
class Health:
    """``drift``: the stability index of each input and of the scores, None with too few cases."""

    serving: Artifact | None
    drift: dict[str, float | None]
    outcomes: list[Outcome]


def health(now: datetime, window: timedelta = timedelta(days=7)) -> Health:
    serving = serving_artifact()
    drift = {} if serving is None else _drift(serving)
    return Health(serving, drift, outcomes(now - window, now))


def outcomes(start: datetime, end: datetime) -> list[Outcome]:
    """What became of the slates shown in a window; a slate counts for the customer whom its
    identifier belongs to now."""
    with connection.cursor() as cursor:
        spans: list[Any] = [CLICK_WITHIN, PURCHASE_WITHIN, CLICK_WITHIN]
        cursor.execute(_OUTCOMES, [*spans, start, end])
        return [Outcome(*row) for row in cursor.fetchall()]


def _drift(serving: Artifact) -> dict[str, float | None]:
    learned = serving.snapshot.created_at
    sides: dict[str, tuple[dict[str, float], dict[str, float]]] = {
        name: (defaultdict(float), defaultdict(float)) for name in ("verb", "channel", "category")
    }
    with connection.cursor() as cursor:
        cursor.execute(_INPUTS, [learned, learned - LEARNED_FROM])
        for after, verb, channel, category, count in cursor.fetchall():
            for name, value in (("verb", verb), ("channel", channel), ("category", category)):
                sides[name][bool(after)][value] += count
    found = {name: psi(before, after) for name, (before, after) in sides.items()}
    began: Any = serving.served_from or serving.created_at
    counts = deciles(_scores(serving.pk, "<=", began), _scores(serving.pk, ">", began))
    return found | {"score": psi(*counts)}


def _scores(artifact: int, side: str, moment: datetime) -> Sequence[float]:
    """The first places' scores of slates that the learning run wrote, or that were written since."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SCORES.format(side=side), [artifact, moment, SCORES])
        return [row[0] for row in cursor.fetchall() if row[0] is not None]
