"""Count and keep what events say about their subject: traits, counters, product interactions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import connection

_INTERACTIONS = """
    INSERT INTO cdp_interaction (event_id, line, sku, verb, quantity, amount)
    SELECT e.id, l.n, l.line->>0, e.verb, (l.line->>1)::numeric, (l.line->>2)::numeric
    FROM cdp_event e, jsonb_array_elements(e.parsed->'lines') WITH ORDINALITY AS l(line, n)
    WHERE e.verb <> '' AND e.id = ANY (%s::bigint[])
    ON CONFLICT (event_id, line) DO NOTHING
"""
_TRAITS = """
    INSERT INTO cdp_traitobservation AS old
        (identifier_id, key, value, source_id, event_id, occurred_at, message_id)
    SELECT DISTINCT ON (e.subject_id, t.key) e.subject_id, t.key, t.value,
        e.source_id, e.id, e.occurred_at, e.message_id
    FROM cdp_event e, jsonb_each(e.parsed->'traits') AS t(key, value)
    WHERE {where} AND e.subject_id IS NOT NULL AND t.value <> 'null'::jsonb
    ORDER BY e.subject_id, t.key, e.occurred_at DESC, e.message_id DESC, e.source_id DESC
    ON CONFLICT (identifier_id, key) DO UPDATE SET value = EXCLUDED.value,
        source_id = EXCLUDED.source_id, event_id = EXCLUDED.event_id,
        occurred_at = EXCLUDED.occurred_at, message_id = EXCLUDED.message_id
    WHERE (EXCLUDED.occurred_at, EXCLUDED.message_id, EXCLUDED.source_id)
          > (old.occurred_at, old.message_id, old.source_id)
"""
_COUNTERS = """
    INSERT INTO cdp_counter AS old (identifier_id, channel, verb, events, quantity, amount)
    SELECT e.subject_id, e.channel, e.verb, count(DISTINCT e.id),
           coalesce(sum(i.quantity), 0), coalesce(sum(i.amount), 0)
    FROM cdp_event e LEFT JOIN cdp_interaction i ON i.event_id = e.id
    WHERE {where} AND e.subject_id IS NOT NULL AND e.verb <> ''
    GROUP BY e.subject_id, e.channel, e.verb ORDER BY e.subject_id, e.channel, e.verb
    ON CONFLICT (identifier_id, channel, verb) DO UPDATE SET events = old.events + EXCLUDED.events,
        quantity = old.quantity + EXCLUDED.quantity, amount = old.amount + EXCLUDED.amount
"""
_TELLING = """
    SELECT id, subject_id, acts, words FROM (
        SELECT e.id, e.subject_id, e.verb <> '' AS acts,
               e.parsed->'traits' <> '{}'::jsonb AS words
        FROM cdp_event e WHERE e.id = ANY (%s::bigint[])) AS said
    WHERE acts OR words ORDER BY id
"""
_BY_EVENT = "e.id = ANY (%s::bigint[])"
_BY_SUBJECT = "e.subject_id = ANY (%s::bigint[])"


class Observed(NamedTuple):
    """Events that did something to a product, those that said something of a person, and the
    identifiers that either hang on."""

    acts: list[int]
    words: list[int]
    subjects: set[int]


def observe(events: list[int], recount: Iterable[int] = ()) -> Observed:
    """Take in newly resolved events; ``recount`` identifiers are counted from all their events.

    The winner of a trait is the latest by (occurred_at, message id, source): a maximum, so that the order
    of arrival does not matter.
    """
    anew = sorted(set(recount))
    with connection.cursor() as cursor:
        found = _found(cursor, events)
        if found.acts:
            cursor.execute(_INTERACTIONS, [found.acts])
        if anew:
            cursor.execute(
                "DELETE FROM cdp_traitobservation WHERE identifier_id = ANY (%s)", [anew]
            )
            cursor.execute("DELETE FROM cdp_counter WHERE identifier_id = ANY (%s)", [anew])
            cursor.execute(_TRAITS.format(where=_BY_SUBJECT), [anew])
            cursor.execute(_COUNTERS.format(where=_BY_SUBJECT), [anew])
        where = f"{_BY_EVENT} AND NOT e.subject_id = ANY (%s::bigint[])"
        if found.words:
            cursor.execute(_TRAITS.format(where=where), [found.words, anew])
        if found.acts:
            cursor.execute(_COUNTERS.format(where=where), [found.acts, anew])
    return found


def _found(cursor: Any, events: list[int]) -> Observed:
    if not events:
        return Observed([], [], set())
    cursor.execute(_TELLING, [events])
    rows = cursor.fetchall()
    return Observed(
        [id_ for id_, _, acts, _ in rows if acts],
        [id_ for id_, _, _, words in rows if words],
        {subject for _, subject, _, _ in rows if subject is not None},
    )
