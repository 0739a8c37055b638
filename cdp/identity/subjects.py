"""The identifier that each event hangs on: its strongest that is not shared."""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection

from cdp.domain.identifiers import Key
from cdp.domain.rules import Rules
from cdp.identity.evidence import Seen


class Rehung(NamedTuple):
    """An event that hangs on another identifier than before (None: on none)."""

    event: int
    old: int | None
    new: int | None


# The strongest identifier of an event that is not shared; else its strongest.
_SUBJECT = """
    SELECT DISTINCT ON (e.id) e.id AS event, i.id AS subject
    FROM cdp_event e LEFT JOIN cdp_identifier i ON i.id = ANY (e.identifiers)
    LEFT JOIN unnest(%s::text[]) WITH ORDINALITY AS k(kind, rank) ON k.kind = i.kind
    WHERE {where} AND e.resolved_at IS NOT NULL
    ORDER BY e.id, i.shared, k.rank, i.value COLLATE "C"
"""
_NAMING = "e.identifiers && %s::bigint[]"
_THESE = "e.id = ANY (%s::bigint[])"


def rehang_naming(identifiers: set[int], rules: Rules) -> list[Rehung]:
    """Events that name these identifiers (their *shared* flag flipped) may now hang elsewhere."""
    return _rehang(_NAMING, identifiers, rules)


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
            [_ranked(rules), sorted(ids)],
        )
        return [Rehung(*row) for row in cursor.fetchall()]


def attach(seen: list[Seen], ids: dict[Key, int], rules: Rules) -> set[int]:
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
            [events, arrays, _ranked(rules)],
        )
        return {row[0] for row in cursor.fetchall() if row[0] is not None}


def _ranked(rules: Rules) -> list[str]:
    return sorted(rules.rank, key=lambda kind: rules.rank[kind])
