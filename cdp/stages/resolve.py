"""Resolve a batch of events: evidence, customers, and the identifier each event hangs on."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import connection

from cdp.domain.identifiers import RANK, Key
from cdp.domain.rules import DEFAULT_RULES, Rules
from cdp.identity.evaluate import evaluate
from cdp.identity.evidence import (
    Seen,
    known_pairs,
    pairs_of,
    touch_identifiers,
    unresolved,
    upsert_identifiers,
    write_links,
)
from cdp.identity.locks import lock_components, lock_identifiers
from cdp.models import Event


@dataclass
class Resolution:
    """What a batch changed: for the stages that follow."""

    events: list[int] = field(default_factory=list)
    subjects: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    customers: set[int] = field(default_factory=set)
    reattributed: list[int] = field(default_factory=list)
    recount: set[int] = field(default_factory=set)


def resolve(event_ids: list[int], rules: Rules = DEFAULT_RULES) -> Resolution:
    """Give events their identifiers, customers and subject; events already resolved are left out.

    Runs in the caller's transaction, which it leaves holding the locks of what it changed.
    """
    rows = Event.objects.filter(id__in=event_ids, resolved_at=None).order_by("id")
    seen = [
        Seen(id_, tuple(sorted({Key(*key) for key in parsed["keys"]})), at)
        for id_, parsed, at in rows.values_list("id", "parsed", "occurred_at")
    ]
    if not seen:
        return Resolution()
    ids = upsert_identifiers(seen)
    lock_identifiers(ids.values())
    pairs = pairs_of(seen, ids)
    new = set(pairs) - known_pairs(pairs)
    older = touch_identifiers(seen, ids)
    touched = {id_ for pair in new for id_ in pair} | older | unresolved(ids.values())
    resolution = Resolution(events=[item.event for item in seen])
    components = lock_components(touched) if touched else set()
    if pairs:
        write_links(pairs)
    if components:
        applied = evaluate(components, rules, "event")
        resolution.moved, resolution.customers = applied.moved, applied.customers
        if applied.flipped:
            resolution.reattributed, resolution.recount = reattribute(applied.flipped)
            # Counted anew from their events: nobody may add to them meanwhile.
            lock_identifiers(resolution.recount)
    resolution.subjects = _attach(seen, ids)
    return resolution


def reattribute(flipped: set[int]) -> tuple[list[int], set[int]]:
    """Events that name an identifier whose *shared* flag flipped may now hang on another.

    Returns the events that changed and the identifiers whose observations must be counted anew.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH subject AS ({_SUBJECT_SQL.format(where="e.identifiers && %s::bigint[]")})
            UPDATE cdp_event e SET subject_id = s.subject
            FROM subject s, cdp_event old
            WHERE e.id = s.event AND old.id = e.id AND e.subject_id IS DISTINCT FROM s.subject
                  AND e.subject_id IS NOT NULL
            RETURNING e.id, old.subject_id, s.subject
            """,
            [_ranked_kinds(), sorted(flipped)],
        )
        changed = cursor.fetchall()
    return [row[0] for row in changed], {id_ for row in changed for id_ in row[1:]}


# The strongest identifier of an event that is not shared; else its strongest.
_SUBJECT_SQL = """
    SELECT DISTINCT ON (e.id) e.id AS event, i.id AS subject
    FROM cdp_event e JOIN cdp_identifier i ON i.id = ANY (e.identifiers)
    JOIN unnest(%s::text[]) WITH ORDINALITY AS k(kind, rank) ON k.kind = i.kind
    WHERE {where}
    ORDER BY e.id, i.shared, k.rank, i.value COLLATE "C"
"""


def _ranked_kinds() -> list[str]:
    return sorted(RANK, key=lambda kind: RANK[kind])


def _attach(seen: list[Seen], ids: dict[Key, int]) -> set[int]:
    """Write each event's identifiers and subject; returns the subjects."""
    arrays = ["{" + ",".join(str(ids[key]) for key in item.keys) + "}" for item in seen]
    events = [item.event for item in seen]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH given AS (SELECT id, ids::bigint[] AS ids FROM unnest(%s::bigint[], %s::text[])
                                  AS t(id, ids)),
            subject AS (
                SELECT DISTINCT ON (g.id) g.id AS event, i.id AS subject
                FROM given g JOIN cdp_identifier i ON i.id = ANY (g.ids)
                JOIN unnest(%s::text[]) WITH ORDINALITY AS k(kind, rank) ON k.kind = i.kind
                ORDER BY g.id, i.shared, k.rank, i.value COLLATE "C")
            UPDATE cdp_event e
            SET identifiers = g.ids, resolved_at = now(), subject_id = s.subject
            FROM given g LEFT JOIN subject s ON s.event = g.id WHERE e.id = g.id
            RETURNING e.subject_id
            """,
            [events, arrays, _ranked_kinds()],
        )
        return {row[0] for row in cursor.fetchall() if row[0] is not None}
