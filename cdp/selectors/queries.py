"""What customers searched for, and what they chose then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

WITHIN = timedelta(minutes=10)
LONGEST = 300  # characters of a query
ROWS = 2000
# A choice counts for the last search before it.
_CHOSEN = """
    SELECT c.public_id::text, i.sku, i.verb, e.id, (extract(epoch FROM e.occurred_at) * 1000)::bigint,
           e.channel, i.quantity::float8, left(btrim(s.payload->'properties'->>'query'), %s)
    FROM cdp_event s
    JOIN cdp_identifier d ON d.id = s.subject_id AND NOT d.shared
    JOIN cdp_customer c ON c.id = d.customer_id
    JOIN cdp_event e ON e.subject_id = s.subject_id AND e.verb IN ('viewed', 'added', 'purchased')
      AND e.occurred_at > s.occurred_at AND e.occurred_at <= s.occurred_at + %s
    JOIN cdp_interaction i ON i.event_id = e.id
    LEFT JOIN cdp_profile p ON p.customer_id = c.id
    WHERE s.verb = 'searched' AND jsonb_typeof(s.payload->'properties'->'query') = 'string'
      AND btrim(s.payload->'properties'->>'query') <> ''
      AND (p.traits->'consent.personalization'->'value') IS DISTINCT FROM 'false'::jsonb
      AND NOT EXISTS (SELECT FROM cdp_event later WHERE later.subject_id = s.subject_id
          AND later.verb = 'searched' AND later.occurred_at > s.occurred_at
          AND later.occurred_at < e.occurred_at)
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
