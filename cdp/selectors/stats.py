"""Figures about identity for operators: sizes, shared identifiers, what waits."""

from __future__ import annotations

from typing import Any

from django.db import connection

from cdp.domain.identifiers import SUSPICIOUS
from cdp.models import Assertion, Record, RuleSet, RuleSetStatus
from cdp.selectors.reviews import backlog
from cdp.selectors.rules import active_rules

LARGEST = 5


def identity_stats() -> dict[str, Any]:
    """Customers and identifiers by number and size, links by verdict, and what waits for people."""
    sizes = _one(
        """
        SELECT count(*), coalesce(sum(n), 0)::int, coalesce(max(n), 0),
               count(*) FILTER (WHERE n > %s),
               coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY n), 0)
        FROM (SELECT count(*) AS n FROM cdp_identifier WHERE customer_id IS NOT NULL
              GROUP BY customer_id) AS c
        """,
        [SUSPICIOUS],
    )
    components = _one(
        """
        SELECT count(*), coalesce(max(n), 0)
        FROM (SELECT count(*) AS n FROM cdp_identifier GROUP BY component) AS c
        """
    )
    return {
        "rules": active_rules().version,
        "customers": sizes[0],
        "identifiers": sizes[1],
        "largest_customer": sizes[2],
        "suspicious_customers": sizes[3],
        "identifiers_of_99_percent": sizes[4],
        "components": components[0],
        "largest_component": components[1],
        "shared_identifiers": _one("SELECT count(*) FROM cdp_identifier WHERE shared")[0],
        "unresolved_events": _one("SELECT count(*) FROM cdp_event WHERE resolved_at IS NULL")[0],
        "live_assertions": Assertion.objects.filter(retracted_at=None).count(),
        "records": Record.objects.count(),
        "unmatched_records": Record.objects.filter(matcher=None).count(),
        "review_backlog": backlog(),
        "draft_rules": RuleSet.objects.filter(status=RuleSetStatus.DRAFT).count(),
        "links": _rows(
            "SELECT verdict, count(*) AS links FROM cdp_link GROUP BY 1 ORDER BY 2 DESC, 1"
        ),
        "matches": _rows(
            "SELECT verdict, count(*) AS pairs FROM cdp_match GROUP BY 1 ORDER BY 2 DESC, 1"
        ),
        "largest": _rows(
            """
            SELECT c.public_id::text AS customer, count(*) AS identifiers
            FROM cdp_identifier i JOIN cdp_customer c ON c.id = i.customer_id
            GROUP BY c.public_id, c.id ORDER BY 2 DESC, c.id LIMIT %s
            """,
            [LARGEST],
        ),
        "most_shared": _rows(
            """
            SELECT i.kind || ':' || i.value AS identifier, count(*) AS neighbours
            FROM cdp_identifier i JOIN cdp_link l ON l.a_id = i.id OR l.b_id = i.id
            WHERE i.shared GROUP BY i.id ORDER BY 2 DESC, i.id LIMIT %s
            """,
            [LARGEST],
        ),
    }


def _one(query: str, parameters: list[Any] | None = None) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        row: tuple[Any, ...] = cursor.fetchone() or ()
        return row


def _rows(query: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
