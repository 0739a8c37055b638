"""Re-evaluate locked components with the pure partition and apply what changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection
from django.db.models import Q

from cdp.domain import partition as pure
from cdp.domain.identifiers import Key
from cdp.domain.rules import Rules
from cdp.models import Assertion, Customer, Identifier, Link, MembershipChange, Verdict


@dataclass
class Applied:
    """What an evaluation changed: moves, customers on either side, identifiers that flipped."""

    moved: set[int] = field(default_factory=set)
    customers: set[int] = field(default_factory=set)
    flipped: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Evidence:
    rows: dict[int, Identifier]
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


def _load(components: set[int]) -> _Evidence:
    rows = {row.id: row for row in Identifier.objects.filter(component__in=components)}
    live = [id_ for id_, row in rows.items() if not row.shared]
    touching = Q(a_id__in=live) | Q(b_id__in=live)
    found = list(Link.objects.filter(touching).values_list("a_id", "b_id", "first_at", "weight"))
    said = list(
        Assertion.objects.filter(Q(a_id__in=rows) | Q(b_id__in=rows), retracted_at=None)
        .values_list("a_id", "b_id", "verdict")
    )  # fmt: skip
    ends = [row[:2] for row in found] + [row[:2] for row in said]
    outside = {id_ for pair in ends for id_ in pair} - set(rows)
    everyone = rows | {row.id: row for row in Identifier.objects.filter(id__in=outside)}
    keys = {id_: Key(row.kind, row.value) for id_, row in everyone.items()}
    return _Evidence(
        rows=rows,
        keys=keys,
        links=[(a, b, pure.Link(keys[a], keys[b], at, weight)) for a, b, at, weight in found],
        words=[
            (a, b, pure.Assertion(keys[a], keys[b], must=verdict == Verdict.MUST_LINK))
            for a, b, verdict in said
            if a in rows and b in rows
        ],
        known_shared=frozenset(keys[id_] for id_, row in everyone.items() if row.shared),
    )


def _apply(evidence: _Evidence, result: pure.Partition, rules: Rules, cause: str) -> Applied:
    ids = {key: id_ for id_, key in evidence.keys.items()}
    applied = Applied()
    updates: list[tuple[int, int, int, bool]] = []
    ledger: list[MembershipChange] = []
    components = _components(evidence, result)
    for id_, row in evidence.rows.items():
        key = evidence.keys[id_]
        customer, shared = ids[result.anchor[key]], key in result.shared
        if (row.customer_id, row.component, row.shared) == (customer, components[id_], shared):
            continue
        updates.append((id_, customer, components[id_], shared))
        if row.shared != shared:
            applied.flipped.add(id_)
        if row.customer_id != customer:
            applied.moved.add(id_)
            applied.customers |= {customer} | ({row.customer_id} if row.customer_id else set())
            if row.customer_id is not None:
                ledger.append(
                    MembershipChange(
                        identifier_id=id_, old_customer=row.customer_id, new_customer=customer,
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
    Customer.objects.bulk_create(
        [Customer(id=id_, public_id=public_id(keys[id_])) for id_ in sorted(set(anchors))],
        ignore_conflicts=True,
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
