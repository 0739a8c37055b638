"""Count and keep what events say about their subject: traits, counters, product interactions."""

from __future__ import annotations

from collections.abc import Iterable

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
_BY_EVENT = "e.id = ANY (%s::bigint[])"
_BY_SUBJECT = "e.subject_id = ANY (%s::bigint[])"


def observe(events: list[int], recount: Iterable[int] = ()) -> None:
    """Take in newly resolved events; ``recount`` identifiers are counted from all their events.

    The winner of a trait is the latest by (occurred_at, message id, source): a maximum, so that the order
    of arrival does not matter.
    """
    anew = sorted(set(recount))
    with connection.cursor() as cursor:
        cursor.execute(_INTERACTIONS, [events])
        if anew:
            cursor.execute(
                "DELETE FROM cdp_traitobservation WHERE identifier_id = ANY (%s)", [anew]
            )
            cursor.execute("DELETE FROM cdp_counter WHERE identifier_id = ANY (%s)", [anew])
            cursor.execute(_TRAITS.format(where=_BY_SUBJECT), [anew])
            cursor.execute(_COUNTERS.format(where=_BY_SUBJECT), [anew])
        where = f"{_BY_EVENT} AND NOT e.subject_id = ANY (%s::bigint[])"
        cursor.execute(_TRAITS.format(where=where), [events, anew])
        cursor.execute(_COUNTERS.format(where=where), [events, anew])
