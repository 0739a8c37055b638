"""The identifier that each event hangs on: its strongest that is not shared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.db import connection

from cdp.domain.identifiers import DEVICES, Key
from cdp.domain.rules import Rules
from cdp.identity import arrays
from cdp.identity.evidence import Seen
from cdp.identity.logins import SWITCHED, Stretch
from cdp.statements import execute


class Rehung(NamedTuple):
    """An event that hangs on another identifier than before (None: on none)."""

    event: int
    old: int | None
    new: int | None


# The strongest identifier of an event that is not shared, else its strongest; where that is a
# device on which several people log in, the one who held it at that moment.
_SUBJECT = f"""
    SELECT s.event, CASE WHEN l.person IS NULL THEN s.subject ELSE l.person END AS subject
    FROM (
        SELECT DISTINCT ON (e.id) e.id AS event, e.occurred_at, e.message_id, i.id AS subject,
               i.kind IN {DEVICES} AS device
        FROM cdp_event e LEFT JOIN cdp_identifier i ON i.id = ANY (e.identifiers)
        LEFT JOIN unnest(%s::text[]) WITH ORDINALITY AS k(kind, rank) ON k.kind = i.kind
        WHERE {{where}} AND e.resolved_at IS NOT NULL
        ORDER BY e.id, i.shared, k.rank, i.value COLLATE "C") AS s
    LEFT JOIN LATERAL (
        SELECT m.person_id AS person FROM cdp_devicelogin m
        WHERE s.device AND m.device_id = s.subject
              AND (m.occurred_at, m.message_id) <= (s.occurred_at, s.message_id)
              AND {SWITCHED.format(device="s.subject")}
        ORDER BY m.occurred_at DESC, m.message_id DESC LIMIT 1) AS l ON true
"""
_NAMING = "e.identifiers && %s::bigint[]"
_THESE = "e.id = ANY (%s::bigint[])"


def rehang_naming(identifiers: set[int], rules: Rules) -> list[Rehung]:
    """Events that name these identifiers (their *shared* flag flipped) may now hang elsewhere."""
    return _rehang(_NAMING, identifiers, rules)


def rehang(events: Iterable[int], rules: Rules) -> list[Rehung]:
    """Of these events, those that hang on another identifier than these rules say."""
    return _rehang(_THESE, set(events), rules)


def rehang_stretches(stretches: list[Stretch], rules: Rules) -> list[Rehung]:
    """Events on switched devices in times where who holds them may have changed."""
    found: list[Rehung] = []
    for device, start, end in stretches:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT id FROM cdp_event WHERE identifiers && %s::bigint[]
                       AND (%s::timestamptz IS NULL OR occurred_at >= %s)
                       AND (%s::timestamptz IS NULL OR occurred_at <= %s)
                """,
                [arrays.ints([device]), start, start, end, end],
            )
            events = {row[0] for row in cursor.fetchall()}
        found += _rehang(_THESE, events, rules)
    return found


def rehang_all(rules: Rules) -> list[Rehung]:
    """Every event that hangs on another identifier than these rules say."""
    return _rehang(_THESE, misplaced(rules), rules)


def misplaced(rules: Rules) -> set[int]:
    """Events that hang on another identifier than these rules say."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT e.id FROM ({_SUBJECT.format(where="true")}) AS s
            JOIN cdp_event e ON e.id = s.event WHERE e.subject_id IS DISTINCT FROM s.subject
            """,
            [_ranked(rules)],
        )
        return {row[0] for row in cursor.fetchall()}


def _rehang(where: str, ids: set[int], rules: Rules) -> list[Rehung]:
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH subject AS ({_SUBJECT.format(where=where)})
            UPDATE cdp_event e SET subject_id = s.subject
            FROM subject s, cdp_event old
            WHERE e.id = s.event AND old.id = e.id AND e.subject_id IS DISTINCT FROM s.subject
            RETURNING e.id, old.subject_id, s.subject
            """,
            [_ranked(rules), arrays.ints(sorted(ids))],
        )
        return [Rehung(*row) for row in cursor.fetchall()]


def attach(seen: list[Seen], ids: dict[Key, int], shared: set[int], rules: Rules) -> list[int]:
    """Write each event's identifiers and subject; returns the events that hang on a device on which
    several people log in. ``shared``: those of ``ids`` that are, now that the batch is judged.

    The same choice as ``_SUBJECT`` makes in SQL, made here because the identifiers are at hand.
    """

    def order(key: Key) -> tuple[bool, int, str]:
        return ids[key] in shared, rules.rank[key.kind], key.value

    strongest = [min(item.keys, key=order, default=None) for item in seen]
    subjects = [None if key is None else ids[key] for key in strongest]
    found = execute(
        f"""
        WITH hung AS (
            UPDATE cdp_event e
            SET identifiers = t.ids::bigint[], resolved_at = now(), subject_id = t.subject
            FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bool[])
                 AS t(id, ids, subject, device)
            WHERE e.id = t.id RETURNING e.id, t.subject, t.device)
        SELECT id FROM hung WHERE device AND {SWITCHED.format(device="hung.subject")}
        """,
        [
            arrays.ints(item.event for item in seen),
            arrays.texts(arrays.ints(ids[key] for key in item.keys) for item in seen),
            arrays.ints(subjects),
            arrays.flags(key is not None and key.kind in DEVICES for key in strongest),
        ],
    )
    return [event for (event,) in found]


def _ranked(rules: Rules) -> list[str]:
    return sorted(rules.rank, key=lambda kind: rules.rank[kind])
