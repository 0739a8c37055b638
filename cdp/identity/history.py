"""The evidence that the events themselves hold, read anew under any rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from cdp.domain import partition as pure
from cdp.domain.events import Names, names_of
from cdp.domain.identifiers import DEVICES, RECORD, Key, linked_pairs
from cdp.domain.rules import Rules
from cdp.models import Event

CHUNK = 2000
Advance = Callable[[str, int], None]


@dataclass
class Tally:
    """How often two identifiers were seen together, first and last."""

    count: int
    first_at: datetime
    last_at: datetime


@dataclass
class History:
    """Every identifier with its first and last moment, and every pair seen together."""

    seen: dict[Key, tuple[datetime, datetime]] = field(default_factory=dict)
    pairs: dict[tuple[Key, Key], Tally] = field(default_factory=dict)

    def add(self, keys: tuple[Key, ...], at: datetime) -> None:
        for key in keys:
            first, last = self.seen.get(key, (at, at))
            self.seen[key] = min(first, at), max(last, at)
        for pair in linked_pairs(keys):
            tally = self.pairs.get(pair)
            if tally is None:
                self.pairs[pair] = Tally(1, at, at)
            else:
                tally.count += 1
                tally.first_at, tally.last_at = min(tally.first_at, at), max(tally.last_at, at)

    def links(self) -> list[pure.Link]:
        alone = [pure.Link(key, key, first) for key, (first, _) in self.seen.items()]
        return alone + [
            pure.Link(a, b, tally.first_at, last_at=tally.last_at)
            for (a, b), tally in self.pairs.items()
        ]


@dataclass(frozen=True)
class Reading:
    """One resolved event as these rules read it, and as it is stored."""

    event: int
    at: datetime
    names: Names
    stored: tuple[Key, ...]


def readings(rules: Rules, advance: Advance) -> Iterator[list[Reading]]:
    """Every resolved event in the order of its id, a chunk at a time (bounded memory)."""
    last = 0
    while rows := _chunk(last):
        last = rows[-1][0]
        advance("events", len(rows))
        yield [_reading(row, rules) for row in rows]


def history(rules: Rules, advance: Advance) -> History:
    found = History()
    for chunk in readings(rules, advance):
        for item in chunk:
            found.add(item.names.keys, item.at)
    return found


def _chunk(last: int) -> list[Any]:
    rows = Event.objects.filter(id__gt=last, resolved_at__isnull=False).order_by("id")
    return list(rows.values_list("id", "occurred_at", "channel", "payload", "parsed__keys")[:CHUNK])


def _reading(row: Any, rules: Rules) -> Reading:
    id_, at, channel, payload, stored = row
    names = names_of(payload, channel, settings.DEFAULT_PHONE_REGION, rules)
    return Reading(id_, at, names, tuple(sorted({Key(*key) for key in stored})))


def write_links_anew() -> None:
    """Links and the times of identifiers, counted from what the events name now."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET)
        cursor.execute(_COUNT)
        cursor.execute(_TIMES)


_PAIRS = f"""
    SELECT a.id AS a, b.id AS b, count(*)::int AS n, min(e.occurred_at) AS first_at,
           max(e.occurred_at) AS last_at
    FROM cdp_event e, unnest(e.identifiers) AS a(id), unnest(e.identifiers) AS b(id)
    WHERE a.id < b.id AND NOT EXISTS (
        SELECT FROM cdp_identifier r, cdp_identifier d
        WHERE r.id IN (a.id, b.id) AND d.id IN (a.id, b.id) AND r.kind = '{RECORD}'
              AND d.kind IN {DEVICES}) GROUP BY 1, 2
"""
_FORGET = f"""
    DELETE FROM cdp_link l WHERE NOT EXISTS (
        SELECT FROM ({_PAIRS}) AS p WHERE p.a = l.a_id AND p.b = l.b_id)
"""
_COUNT = f"""
    INSERT INTO cdp_link AS old (a_id, b_id, count, first_at, last_at)
    SELECT * FROM ({_PAIRS}) AS p ORDER BY a, b
    ON CONFLICT (a_id, b_id) DO UPDATE SET count = EXCLUDED.count, first_at = EXCLUDED.first_at,
        last_at = EXCLUDED.last_at
    WHERE (old.count, old.first_at, old.last_at)
          IS DISTINCT FROM (EXCLUDED.count, EXCLUDED.first_at, EXCLUDED.last_at)
"""
_TIMES = """
    UPDATE cdp_identifier i SET first_seen_at = t.first_at, last_seen_at = t.last_at
    FROM (SELECT k.id, min(e.occurred_at) AS first_at, max(e.occurred_at) AS last_at
          FROM cdp_event e, unnest(e.identifiers) AS k(id) GROUP BY 1) AS t
    WHERE t.id = i.id AND (i.first_seen_at, i.last_seen_at) IS DISTINCT FROM (t.first_at, t.last_at)
"""
