"""Count and keep what events say about their subject: traits, counters, product interactions."""

from __future__ import annotations

from collections.abc import Iterable

from cdp.identity import arrays
from cdp.statements import execute

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
    RETURNING identifier_id
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
    RETURNING identifier_id
"""
_BY_EVENT = "e.id = ANY (%s::bigint[])"
_BY_SUBJECT = "e.subject_id = ANY (%s::bigint[])"


def observe(
    acts: list[int] | None = None, words: list[int] | None = None, recount: Iterable[int] = ()
) -> set[int]:
    """Take in newly resolved events (``acts``: they do something to products; ``words``: they say
    something about a person); ``recount`` identifiers are counted from all their events. Returns
    the identifiers of which something else is known now.

    The winner of a trait is the latest by (occurred_at, message id, source): a maximum, so that
    the order of arrival does not matter.
    """
    anew = sorted(set(recount))
    told, subjects = set(anew), arrays.ints(anew)

    def write(query: str, *ids: str) -> None:
        told.update(subject for (subject,) in execute(query, ids))

    if acts:
        execute(_INTERACTIONS, [arrays.ints(acts)])
    if anew:
        for table in ("cdp_traitobservation", "cdp_counter"):
            execute(f"DELETE FROM {table} WHERE identifier_id = ANY (%s::bigint[])", [subjects])
        write(_TRAITS.format(where=_BY_SUBJECT), subjects)
        write(_COUNTERS.format(where=_BY_SUBJECT), subjects)
    where = f"{_BY_EVENT} AND NOT e.subject_id = ANY (%s::bigint[])"
    if words:
        write(_TRAITS.format(where=where), arrays.ints(words), subjects)
    if acts:
        write(_COUNTERS.format(where=where), arrays.ints(acts), subjects)
    return told
