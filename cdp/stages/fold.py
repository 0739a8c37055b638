"""Fold the observations of a customer's identifiers into its profile."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from cdp.identity import arrays
from cdp.identity.locks import lock_customers
from cdp.statements import execute

_FOLDED = """
    WITH wanted AS (SELECT unnest(%s::bigint[]) AS customer),
    member AS (
        SELECT w.customer, i.id FROM wanted w JOIN cdp_identifier i ON i.customer_id = w.customer),
    winner AS (
        SELECT DISTINCT ON (m.customer, t.key) m.customer, t.key, jsonb_build_object(
            'value', t.value, 'source', s.name, 'channel', s.channel,
            'occurredAt', to_jsonb(t.occurred_at), 'messageId', t.message_id) AS trait
        FROM member m JOIN cdp_traitobservation t ON t.identifier_id = m.id
        JOIN cdp_source s ON s.id = t.source_id
        ORDER BY m.customer, t.key, t.occurred_at DESC, t.message_id DESC, t.source_id DESC),
    traits AS (
        SELECT customer, jsonb_object_agg(key, trait) AS traits FROM winner GROUP BY customer),
    counted AS (
        SELECT m.customer, c.channel, c.verb, sum(c.events) AS events,
               sum(c.quantity) AS quantity, sum(c.amount) AS amount
        FROM member m JOIN cdp_counter c ON c.identifier_id = m.id
        GROUP BY m.customer, c.channel, c.verb),
    channels AS (
        SELECT customer, channel, jsonb_object_agg(verb, jsonb_build_object(
            'events', events, 'quantity', quantity::text, 'amount', amount::text)) AS verbs
        FROM counted GROUP BY customer, channel),
    counters AS (
        SELECT customer, jsonb_object_agg(channel, verbs) AS counters
        FROM channels GROUP BY customer)
    SELECT w.customer, coalesce(t.traits, '{}') AS traits, coalesce(c.counters, '{}') AS counters,
           NOT EXISTS (SELECT FROM member m WHERE m.customer = w.customer) AS absorbed
    FROM wanted w LEFT JOIN traits t USING (customer) LEFT JOIN counters c USING (customer)
    ORDER BY w.customer
"""
_WRITE = f"""
    INSERT INTO cdp_profile AS old (customer_id, traits, counters, absorbed, changed_xid)
    SELECT f.customer, f.traits, f.counters, f.absorbed, pg_current_xact_id()::text::bigint
    FROM ({_FOLDED}) AS f
    ON CONFLICT (customer_id) DO UPDATE SET traits = EXCLUDED.traits,
        counters = EXCLUDED.counters, absorbed = EXCLUDED.absorbed, version = old.version + 1,
        changed_xid = EXCLUDED.changed_xid, changed_at = now()
    WHERE (old.traits, old.counters, old.absorbed)
          IS DISTINCT FROM (EXCLUDED.traits, EXCLUDED.counters, EXCLUDED.absorbed)
    RETURNING customer_id
"""


def fold(subjects: Iterable[int], customers: Iterable[int] = ()) -> list[int]:
    """Refold the profiles of the subjects' customers and of ``customers``; returns the changed."""
    locked = sorted(lock_customers(subjects, customers))
    if not locked:
        return []
    return [customer for (customer,) in execute(_WRITE, [arrays.ints(locked)])]


def differences(customers: list[int]) -> list[int]:
    """Customers whose stored profile is not what their observations fold to."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT f.customer FROM ({_FOLDED}) AS f
            LEFT JOIN cdp_profile p ON p.customer_id = f.customer
            WHERE (p.traits, p.counters, p.absorbed)
                  IS DISTINCT FROM (f.traits, f.counters, f.absorbed)
            """,
            [customers],
        )
        return [row[0] for row in cursor.fetchall()]
