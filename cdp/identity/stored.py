"""Read stored evidence: of locked components (the incremental path) or all of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from cdp.domain import partition as pure
from cdp.domain.identifiers import RECORD, Key
from cdp.domain.rules import Rules
from cdp.identity import arrays
from cdp.models import Verdict
from cdp.selectors.matchers import merge_at, weigher
from cdp.statements import execute, together


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


class FoundMatch(NamedTuple):
    """A match of two records as stored, with the verdict that it had."""

    a: int
    b: int
    pair: tuple[Key, Key]
    weight: float
    verdict: str


@dataclass(frozen=True)
class Evidence:
    """What a decision depends on. ``keys`` also names neighbours outside ``rows``."""

    rows: dict[int, Row]
    keys: dict[int, Key]
    links: list[Found]
    words: list[tuple[int, int, pure.Assertion]]
    known_shared: frozenset[Key]
    matched: list[FoundMatch]
    merge_at: float

    def matches(self) -> pure.Matches:
        ids = {row.key: id_ for id_, row in self.rows.items() if row.key.kind == RECORD}
        weights = {one.pair: one.weight for one in self.matched}
        return pure.Matches(weights, self.merge_at, weigher(ids)) if weights else pure.NO_MATCHES

    def pure_links(self) -> list[pure.Link]:
        """The links, and each identifier with itself: it was seen, maybe alone."""
        seen = (pure.Link(row.key, row.key, row.first_seen_at) for row in self.rows.values())
        return [found.link for found in self.links] + list(seen)


_COLUMNS = "id, kind, value, component, customer_id, shared, first_seen_at FROM cdp_identifier"
# Reading a moment costs more than all the rest of a row: only where links can expire.
_LINKS = "SELECT a_id, b_id, {last_at}, weight, verdict FROM cdp_link"
_WORDS = "SELECT a_id, b_id, verdict FROM cdp_assertion WHERE retracted_at IS NULL"
# An identifier that rules keep out of every event has no evidence any more.
_SEEN = "id IN (SELECT DISTINCT unnest(identifiers) FROM cdp_event)"


def of_components(components: set[int], rules: Rules) -> Evidence:
    """The evidence of whole components; links of identifiers known as shared are left out."""
    rows = _identifiers(
        "component = ANY (%s::bigint[]) AND gone_at IS NULL", [arrays.ints(sorted(components))]
    )
    live = arrays.ints(id_ for id_, row in rows.items() if not row.shared)
    all_ = arrays.ints(rows)
    query = _links(rules)
    links, words = together(
        (
            f"{query} WHERE a_id = ANY (%s::bigint[]) UNION {query} WHERE b_id = ANY (%s::bigint[])",
            [live, live],
        ),
        (f"{_WORDS} AND (a_id = ANY (%s::bigint[]) OR b_id = ANY (%s::bigint[]))", [all_, all_]),
    )
    everyone = rows
    if outside := {id_ for row in [*links, *words] for id_ in row[:2]} - set(rows):
        everyone = rows | _identifiers("id = ANY (%s::bigint[])", [arrays.ints(sorted(outside))])
    shared = frozenset(row.key for row in everyone.values() if row.shared)
    return _evidence(rows, everyone, links, words, shared)


def everything(rules: Rules) -> Evidence:
    """All evidence, with nothing taken for shared beforehand."""
    rows = _identifiers(_SEEN, [])
    links = [row for row in execute(_links(rules), []) if row[0] in rows and row[1] in rows]
    return _evidence(rows, rows, links, execute(_WORDS, []), frozenset())


def words_among(known: Collection[Key]) -> list[pure.Assertion]:
    """Live assertions of which both ends are known."""
    found = execute(
        """
        SELECT a.kind, a.value, b.kind, b.value, w.verdict FROM cdp_assertion w
        JOIN cdp_identifier a ON a.id = w.a_id JOIN cdp_identifier b ON b.id = w.b_id
        WHERE w.retracted_at IS NULL
        """,
        [],
    )
    words = [
        pure.Assertion(Key(ak, av), Key(bk, bv), must=verdict == Verdict.MUST_LINK)
        for ak, av, bk, bv, verdict in found
    ]
    return [word for word in words if word.a in known and word.b in known]


def bring_back() -> None:
    """Identifiers that events name again are no longer gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE cdp_identifier SET gone_at = NULL WHERE gone_at IS NOT NULL AND {_SEEN}"
        )


def without_evidence() -> set[int]:
    """Identifiers in no event that still belong to a customer."""
    found = execute(
        f"SELECT id FROM cdp_identifier WHERE customer_id IS NOT NULL AND NOT {_SEEN}", []
    )
    return {row[0] for row in found}


def _links(rules: Rules) -> str:
    expiring = any(kind.expires_after_days for kind in rules.kinds.values())
    return _LINKS.format(last_at="last_at" if expiring else "NULL::timestamptz")


def _evidence(
    rows: dict[int, Row],
    everyone: dict[int, Row],
    links: list[Any],
    words: list[Any],
    known_shared: frozenset[Key],
) -> Evidence:
    keys = {id_: row.key for id_, row in everyone.items()}

    def link(a: int, b: int, last_at: datetime | None, weight: float) -> pure.Link:
        # When a pair was first seen says nothing that its identifiers' own moments do not.
        first_at = max(everyone[a].first_seen_at, everyone[b].first_seen_at)
        return pure.Link(keys[a], keys[b], first_at, weight, last_at)

    return Evidence(
        rows,
        keys,
        [
            Found(a, b, link(a, b, last_at, weight), verdict)
            for a, b, last_at, weight, verdict in links
        ],
        [
            (a, b, pure.Assertion(keys[a], keys[b], must=verdict == Verdict.MUST_LINK))
            for a, b, verdict in words
            if a in rows and b in rows
        ],
        known_shared,
        *_matched(rows, known_shared),
    )


def _matched(rows: dict[int, Row], known_shared: frozenset[Key]) -> tuple[list[FoundMatch], float]:
    """The matches among these identifiers, and the weight from which they join."""
    records = arrays.ints(
        id_ for id_, row in rows.items() if row.key.kind == RECORD and row.key not in known_shared
    )
    if records == "{}":
        return [], math.inf
    found = execute(
        """
        SELECT a_id, b_id, weight, verdict FROM cdp_match
        WHERE a_id = ANY (%s::bigint[]) AND b_id = ANY (%s::bigint[])
        """,
        [records, records],
    )
    if not found:
        return [], math.inf
    return [
        FoundMatch(a, b, pure.ordered(rows[a].key, rows[b].key), weight, verdict)
        for a, b, weight, verdict in found
    ], merge_at()


def _identifiers(where: str, parameters: Sequence[str]) -> dict[int, Row]:
    found = execute(f"SELECT {_COLUMNS} WHERE {where}", parameters)
    return {
        id_: Row(id_, Key(kind, value), component, customer, shared, first)
        for id_, kind, value, component, customer, shared, first in found
    }
