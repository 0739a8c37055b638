"""The identity graph of one customer: its identifiers, their links, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from cdp.domain.partition import LINKED
from cdp.models import Assertion, Identifier, Link, Match, Verdict

OUTSIDE = 20
MOST = 300


@dataclass(frozen=True)
class Node:
    """An identifier; ``outside``: of another customer, shown because a link to it was refused."""

    id: int
    kind: str
    value: str
    shared: bool
    outside: bool


@dataclass(frozen=True)
class Edge:
    """A link, a match (``weight`` in bits) or an assertion; ``verdict`` is *linked*, a refusal,
    *must_link* or *cannot_link*."""

    a: int
    b: int
    verdict: str
    count: int
    first_at: datetime | None
    last_at: datetime | None
    weight: float | None = None

    @property
    def refused(self) -> bool:
        return self.verdict not in (LINKED, Verdict.MUST_LINK)


@dataclass(frozen=True)
class Graph:
    """``left_out``: how many identifiers and refused neighbours are too many to show."""

    nodes: list[Node]
    edges: list[Edge]
    left_out: int


def identity_graph(customer: int) -> Graph:
    rows = list(Identifier.objects.filter(customer_id=customer).order_by("kind", "value"))
    members = {row.pk: row for row in rows[:MOST]}
    touching = Q(a_id__in=members) | Q(b_id__in=members)
    links = list(Link.objects.filter(touching).order_by("a_id", "b_id")[: 10 * MOST])
    words = Assertion.objects.filter(touching, retracted_at=None).order_by("a_id", "b_id")
    edges = [
        Edge(k.a_id, k.b_id, k.verdict or "unjudged", k.count, k.first_at, k.last_at) for k in links
    ]
    matches = Match.objects.filter(touching).exclude(verdict="review").order_by("a_id", "b_id")
    edges += [
        Edge(m.a_id, m.b_id, m.verdict or "unjudged", 0, None, None, m.weight)
        for m in matches[: 10 * MOST]
    ]
    edges += [Edge(w.a_id, w.b_id, w.verdict, 0, w.created_at, None) for w in words[:MOST]]
    outside = {id_ for e in edges for id_ in (e.a, e.b) if id_ not in members}
    kept = sorted(outside)[:OUTSIDE]
    shown = members | Identifier.objects.in_bulk(kept)
    nodes = [
        Node(row.pk, row.kind, row.value, row.shared, row.pk not in members)
        for row in shown.values()
    ]
    edges = [edge for edge in edges if edge.a in shown and edge.b in shown]
    left_out = len(rows) - len(members) + len(outside) - len(kept)
    return Graph(nodes, edges, left_out)
