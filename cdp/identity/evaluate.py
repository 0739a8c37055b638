"""Re-evaluate locked components with the pure partition and apply what changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from cdp.domain import partition as pure
from cdp.domain.identifiers import Key
from cdp.domain.rules import Rules
from cdp.models import MembershipChange, Verdict


@dataclass
class Applied:
    """What an evaluation changed: moves, customers on either side, identifiers that flipped."""

    moved: set[int] = field(default_factory=set)
    customers: set[int] = field(default_factory=set)
    flipped: set[int] = field(default_factory=set)


class _Row(NamedTuple):
    """An identifier as stored."""

    id: int
    key: Key
    component: int
    customer: int | None
    shared: bool
    first_seen_at: datetime


@dataclass(frozen=True)
class _Evidence:
    rows: dict[int, _Row]
    keys: dict[int, Key]
    links: list[tuple[int, int, pure.Link]]
    words: list[tuple[int, int, pure.Assertion]]
    known_shared: frozenset[Key]


def public_id(key: Key) -> uuid.UUID:
    """The customer id anchored on an identifier: uuid5 in the installation's secret namespace."""
    return uuid.uuid5(uuid.UUID(settings.CUSTOMER_NAMESPACE), f"{key.kind}:{key.value}")


def evaluate(components: set[int], rules: Rules, cause: str) -> Applied:
    """Recompute the customers of locked components and write the differences."""
    evidence = _load(components)
    result = pure.partition(
        [link for _, _, link in evidence.links]
        + [
            pure.Link(evidence.keys[id_], evidence.keys[id_], row.first_seen_at)
            for id_, row in evidence.rows.items()
        ],
        [word for _, _, word in evidence.words],
        rules,
        known_shared=evidence.known_shared,
    )
    return _apply(evidence, result, rules, cause)


_COLUMNS = (
    "SELECT id, kind, value, component, customer_id, shared, first_seen_at FROM cdp_identifier"
)


def _load(components: set[int]) -> _Evidence:
    rows = _identifiers("component = ANY (%s)", components)
    live = [id_ for id_, row in rows.items() if not row.shared]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a_id, b_id, first_at, weight FROM cdp_link WHERE a_id = ANY (%s)
            UNION SELECT a_id, b_id, first_at, weight FROM cdp_link WHERE b_id = ANY (%s)
            """,
            [live, live],
        )
        found = cursor.fetchall()
        cursor.execute(
            """
            SELECT a_id, b_id, verdict FROM cdp_assertion
            WHERE retracted_at IS NULL AND (a_id = ANY (%s) OR b_id = ANY (%s))
            """,
            [list(rows), list(rows)],
        )
        said = cursor.fetchall()
    outside = {id_ for row in [*found, *said] for id_ in row[:2]} - set(rows)
    everyone = rows | _identifiers("id = ANY (%s)", outside)
    keys = {id_: row.key for id_, row in everyone.items()}
    return _Evidence(
        rows=rows,
        keys=keys,
        links=[(a, b, pure.Link(keys[a], keys[b], at, weight)) for a, b, at, weight in found],
        words=[
            (a, b, pure.Assertion(keys[a], keys[b], must=verdict == Verdict.MUST_LINK))
            for a, b, verdict in said
            if a in rows and b in rows
        ],
        known_shared=frozenset(row.key for row in everyone.values() if row.shared),
    )


def _identifiers(where: str, ids: Iterable[int]) -> dict[int, _Row]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_COLUMNS} WHERE {where}", [sorted(ids)])
        return {
            id_: _Row(id_, Key(kind, value), component, customer, shared, first)
            for id_, kind, value, component, customer, shared, first in cursor.fetchall()
        }


def _apply(evidence: _Evidence, result: pure.Partition, rules: Rules, cause: str) -> Applied:
    ids = {key: id_ for id_, key in evidence.keys.items()}
    applied = Applied()
    updates: list[tuple[int, int, int, bool]] = []
    ledger: list[MembershipChange] = []
    components = _components(evidence, result)
    for id_, row in evidence.rows.items():
        key = evidence.keys[id_]
        customer, shared = ids[result.anchor[key]], key in result.shared
        if (row.customer, row.component, row.shared) == (customer, components[id_], shared):
            continue
        updates.append((id_, customer, components[id_], shared))
        if row.shared != shared:
            applied.flipped.add(id_)
        if row.customer != customer:
            applied.moved.add(id_)
            applied.customers |= {customer} | ({row.customer} if row.customer else set())
            if row.customer is not None:
                ledger.append(
                    MembershipChange(
                        identifier_id=id_, old_customer=row.customer, new_customer=customer,
                        cause=cause, rules_version=rules.version,
                    )
                )  # fmt: skip
    _ensure_customers({customer for _, customer, _, _ in updates}, evidence.keys)
    _write(sorted(updates))
    MembershipChange.objects.bulk_create(ledger)
    return applied


def _components(evidence: _Evidence, result: pure.Partition) -> dict[int, int]:
    """Connected by links that count (refused ones too) or by a must-link: what is judged together."""
    parent = {id_: id_ for id_ in evidence.rows}

    def find(id_: int) -> int:
        while parent[id_] != id_:
            parent[id_] = parent[parent[id_]]
            id_ = parent[id_]
        return id_

    counting = [
        (a, b)
        for a, b, link in evidence.links
        if link.a not in result.shared and link.b not in result.shared
    ]
    counting += [(a, b) for a, b, word in evidence.words if word.must]
    for a, b in counting:
        if a in parent and b in parent:
            low, high = sorted((find(a), find(b)))
            parent[high] = low
    return {id_: find(id_) for id_ in evidence.rows}


def _ensure_customers(anchors: Iterable[int], keys: dict[int, Key]) -> None:
    ids = sorted(set(anchors))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO cdp_customer (id, public_id) SELECT * FROM unnest(%s::bigint[], %s::uuid[])
            ON CONFLICT (id) DO NOTHING
            """,
            [ids, [public_id(keys[id_]) for id_ in ids]],
        )


def _write(updates: list[tuple[int, int, int, bool]]) -> None:
    if not updates:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE cdp_identifier i
            SET customer_id = t.customer, component = t.component, shared = t.shared
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bool[])
                 AS t(id, customer, component, shared)
            WHERE i.id = t.id
            """,
            [list(column) for column in zip(*updates, strict=True)],
        )
