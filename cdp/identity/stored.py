"""Read stored evidence: of locked components (the incremental path) or all of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from cdp.domain import partition as pure
from cdp.domain.identifiers import Key
from cdp.models import Verdict


class Row(NamedTuple):
    """An identifier as stored."""

    id: int
    key: Key
    component: int
    customer: int | None
    shared: bool
    first_seen_at: datetime


class Found(NamedTuple):
    """A link as stored, with the verdict that it had."""

    a: int
    b: int
    link: pure.Link
    verdict: str


@dataclass(frozen=True)
class Evidence:
    """What a decision depends on. ``keys`` also names neighbours outside ``rows``."""

    rows: dict[int, Row]
    keys: dict[int, Key]
    links: list[Found]
    words: list[tuple[int, int, pure.Assertion]]
    known_shared: frozenset[Key]

    def pure_links(self) -> list[pure.Link]:
        """The links, and each identifier with itself: it was seen, maybe alone."""
        seen = (pure.Link(row.key, row.key, row.first_seen_at) for row in self.rows.values())
        return [found.link for found in self.links] + list(seen)


_COLUMNS = "id, kind, value, component, customer_id, shared, first_seen_at FROM cdp_identifier"
_LINKS = "SELECT a_id, b_id, first_at, last_at, weight, verdict FROM cdp_link"
_WORDS = "SELECT a_id, b_id, verdict FROM cdp_assertion WHERE retracted_at IS NULL"
# An identifier that rules keep out of every event has no evidence any more.
_SEEN = "id IN (SELECT DISTINCT unnest(identifiers) FROM cdp_event)"


def of_components(components: set[int]) -> Evidence:
    """The evidence of whole components; links of identifiers known as shared are left out."""
    rows = _identifiers("component = ANY (%s)", [sorted(components)])
    live = [id_ for id_, row in rows.items() if not row.shared]
    links = _all(
        f"{_LINKS} WHERE a_id = ANY (%s) UNION {_LINKS} WHERE b_id = ANY (%s)", [live, live]
    )
    words = _all(f"{_WORDS} AND (a_id = ANY (%s) OR b_id = ANY (%s))", [list(rows), list(rows)])
    outside = {id_ for row in [*links, *words] for id_ in row[:2]} - set(rows)
    everyone = rows | _identifiers("id = ANY (%s)", [sorted(outside)])
    shared = frozenset(row.key for row in everyone.values() if row.shared)
    return _evidence(rows, everyone, links, words, shared)


def everything() -> Evidence:
    """All evidence, with nothing taken for shared beforehand."""
    rows = _identifiers(_SEEN, [])
    links = [row for row in _all(_LINKS, []) if row[0] in rows and row[1] in rows]
    return _evidence(rows, rows, links, _all(_WORDS, []), frozenset())


def without_evidence() -> set[int]:
    """Identifiers in no event that still belong to a customer."""
    found = _all(f"SELECT id FROM cdp_identifier WHERE customer_id IS NOT NULL AND NOT {_SEEN}", [])
    return {row[0] for row in found}


def _evidence(
    rows: dict[int, Row],
    everyone: dict[int, Row],
    links: list[Any],
    words: list[Any],
    known_shared: frozenset[Key],
) -> Evidence:
    keys = {id_: row.key for id_, row in everyone.items()}
    return Evidence(
        rows,
        keys,
        [
            Found(a, b, pure.Link(keys[a], keys[b], first, weight, last), verdict)
            for a, b, first, last, weight, verdict in links
        ],
        [
            (a, b, pure.Assertion(keys[a], keys[b], must=verdict == Verdict.MUST_LINK))
            for a, b, verdict in words
            if a in rows and b in rows
        ],
        known_shared,
    )


def _identifiers(where: str, parameters: Iterable[Any]) -> dict[int, Row]:
    found = _all(f"SELECT {_COLUMNS} WHERE {where}", parameters)
    return {
        id_: Row(id_, Key(kind, value), component, customer, shared, first)
        for id_, kind, value, component, customer, shared, first in found
    }


def _all(query: str, parameters: Iterable[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, list(parameters))
        rows: list[Any] = cursor.fetchall()
        return rows
