"""What customers searched for, and what they chose then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

WITHIN = timedelta(minutes=10)
LONGEST = 300  # characters of a query
ROWS = 2000
# A choice counts for the last search before it. What reads like an e-mail or a phone number is not
# kept: people search for those too.
_CHOSEN = """
    SELECT c.public_id::text, i.sku, i.verb, e.id, floor(extract(epoch FROM e.occurred_at) * 1000)::bigint,
           e.channel, i.quantity::float8, search.query
    FROM cdp_event e
    JOIN cdp_identifier d ON d.id = e.subject_id AND NOT d.shared
    JOIN cdp_customer c ON c.id = d.customer_id
    JOIN cdp_interaction i ON i.event_id = e.id
    JOIN LATERAL (
        SELECT left(btrim(s.payload->'properties'->>'query'), %s) AS query,
               jsonb_typeof(s.payload->'properties'->'query') AS kind
        FROM cdp_event s
        WHERE s.subject_id = e.subject_id AND s.verb = 'searched'
          AND s.occurred_at < e.occurred_at AND s.occurred_at >= e.occurred_at - %s
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT 1
    ) AS search ON search.kind = 'string' AND search.query <> ''
    LEFT JOIN cdp_profile p ON p.customer_id = c.id
    WHERE e.verb IN ('viewed', 'added', 'purchased')
      AND e.subject_id IN (SELECT subject_id FROM cdp_event WHERE verb = 'searched')
      AND search.query !~ '@' AND search.query !~ '([0-9][ ./()-]*){7}'
      AND (p.traits->'consent.personalization'->'value') IS DISTINCT FROM 'false'::jsonb
"""
_COLUMNS = ("customer", "sku", "verb", "event", "at", "channel", "quantity", "query")


def clicked_queries() -> Iterator[dict[str, Any]]:
    """Each product chosen within ten minutes of a search by the same identifier, of customers who did
    not refuse personalization: the columns of a snapshot, ``at`` (ms) being when it was chosen. Read
    through a cursor at the server, some rows at a time."""
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        asked: list[Any] = [LONGEST, WITHIN]
        cursor.execute(_CHOSEN, asked)
        while rows := cursor.fetchmany(ROWS):
            for row in rows:
                yield dict(zip(_COLUMNS, row, strict=True))
