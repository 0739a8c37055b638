"""Build derived stores anew from PostgreSQL's events, or count how they differ from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import connection

from cdp.graph import cypher, projection, session
from cdp.graph.session import Row
from cdp.models import Customer, Event, Identifier, Product

CHUNK = 5000
Advance = Callable[[str, int], None]


@dataclass
class Difference:
    """What the graph has too much, too little, or otherwise, with some examples."""

    missing: int = 0
    surplus: int = 0
    examples: list[str] | None = None

    @property
    def total(self) -> int:
        return self.missing + self.surplus


def rebuild_graph(advance: Advance) -> None:
    """Empty the graph and project everything; the same rows as the incremental projection."""
    for statement in (cypher.CLEAR_EDGES, cypher.CLEAR_NODES):
        while next(iter(session.stream(statement, limit=5000)), {"n": 0})["n"]:
            advance("clearing", 5000)
    projection.ensure_schema()
    for ids in in_chunks(Product.objects.order_by("id").values_list("id", flat=True)):
        rows = Product.objects.filter(id__in=ids).order_by("sku")
        projection.write_products(projection.product_rows(rows))
        advance("products", len(ids))
    for ids in in_chunks(Identifier.objects.order_by("id").values_list("id", flat=True)):
        projection.write_identities(projection.identity_rows(ids))
        advance("identities", len(ids))
    for ids in in_chunks(
        Event.objects.exclude(verb="").order_by("id").values_list("id", flat=True)
    ):
        projection.write_interactions(projection.interaction_rows(ids))
        advance("events", len(ids))


def graph_differences() -> dict[str, Difference]:
    """Every node and edge of the graph against what PostgreSQL says it should be."""
    identifiers = list(Identifier.objects.order_by("id").values_list("id", flat=True))
    memberships = (
        (row["id"], row["kind"], row["shared"], row["customer"], row["consented"])
        for ids in in_chunks(identifiers)
        for row in projection.identity_rows(ids)
    )
    fields = ("identity", "kind", "shared", "customer", "consented")
    found = {"memberships": _compare(memberships, _read(cypher.READ_MEMBERSHIPS, fields))}
    products = (
        (row["sku"], row["title"], row["brand"], row["category"] or None)
        for row in projection.product_rows(Product.objects.all())
    )
    known = set(Product.objects.values_list("sku", flat=True))
    in_graph = (
        r
        for r in _read(cypher.READ_PRODUCTS, ("sku", "title", "brand", "category"))
        if r[0] in known
    )
    found["products"] = _compare(products, in_graph)
    lonely = [row["id"] for row in session.stream(cypher.READ_LONELY_CUSTOMERS)]
    found["customers"] = Difference(surplus=len(lonely), examples=lonely[:5])
    found["interactions"] = _compare(_expected_edges(), _graph_edges())
    return found


EDGE = ("identity", "sku", "event", "line", "at", "channel", "quantity", "amount")


def _expected_edges() -> Iterable[tuple[object, ...]]:
    events = Event.objects.exclude(verb="").order_by("id").values_list("id", flat=True)
    for ids in in_chunks(events):
        for row in projection.interaction_rows(ids):
            yield (row["verb"], *(row[name] for name in EDGE))


def _graph_edges() -> Iterable[tuple[object, ...]]:
    for verb in cypher.VERBS:
        for row in _read(cypher.read_interactions(verb), EDGE):
            yield (verb, *row)


def _read(statement: str, fields: Iterable[str]) -> Iterable[tuple[object, ...]]:
    names = tuple(fields)
    row: Row
    for row in session.stream(statement):
        yield tuple(row[name] for name in names)


def _compare(
    expected: Iterable[tuple[object, ...]], actual: Iterable[tuple[object, ...]]
) -> Difference:
    want, have = set(expected), set(actual)
    examples = [f"missing {row}" for row in list(want - have)[:3]]
    examples += [f"surplus {row}" for row in list(have - want)[:3]]
    return Difference(len(want - have), len(have - want), examples)


def profile_customers() -> list[int]:
    return list(Customer.objects.order_by("id").values_list("id", flat=True))


def clear_observations() -> None:
    """Empty them and keep others from writing to them until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE cdp_traitobservation, cdp_counter IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("DELETE FROM cdp_traitobservation")
        cursor.execute("DELETE FROM cdp_counter")


def subjects() -> list[int]:
    rows = Event.objects.filter(subject__isnull=False).values_list("subject_id", flat=True)
    return sorted({id_ for id_ in rows.distinct() if id_ is not None})


_FRESH = {
    "counters": """
        SELECT e.subject_id, e.channel, e.verb, count(DISTINCT e.id)::int,
               coalesce(sum(i.quantity), 0), coalesce(sum(i.amount), 0)
        FROM cdp_event e LEFT JOIN cdp_interaction i ON i.event_id = e.id
        WHERE e.subject_id IS NOT NULL AND e.verb <> '' GROUP BY 1, 2, 3
    """,
    "traits": """
        SELECT DISTINCT ON (e.subject_id, t.key) e.subject_id, t.key::text, t.value, e.source_id,
               e.id, e.occurred_at, e.message_id::text
        FROM cdp_event e, jsonb_each(e.parsed->'traits') AS t(key, value)
        WHERE e.subject_id IS NOT NULL AND t.value <> 'null'::jsonb
        ORDER BY e.subject_id, t.key, e.occurred_at DESC, e.message_id DESC, e.source_id DESC
    """,
    "interactions": """
        SELECT e.id, l.n::int, l.line->>0, e.verb::text, (l.line->>1)::numeric,
               (l.line->>2)::numeric
        FROM cdp_event e, jsonb_array_elements(e.parsed->'lines') WITH ORDINALITY AS l(line, n)
        WHERE e.verb <> '' AND e.resolved_at IS NOT NULL
    """,
}
_STORED = {
    "counters": "SELECT identifier_id, channel, verb, events, quantity, amount FROM cdp_counter",
    "traits": """
        SELECT identifier_id, key::text, value, source_id, event_id, occurred_at, message_id::text
        FROM cdp_traitobservation
    """,
    "interactions": """
        SELECT event_id, line::int, sku::text, verb::text, quantity, amount FROM cdp_interaction
    """,
}


def observation_differences() -> dict[str, int]:
    """How many stored rows differ from what the events say, by kind of observation."""
    found: dict[str, int] = {}
    with connection.cursor() as cursor:
        for name, fresh in _FRESH.items():
            cursor.execute(
                f"""
                WITH fresh AS ({fresh}), stored AS ({_STORED[name]})
                SELECT count(*) FROM ((TABLE fresh EXCEPT TABLE stored) UNION ALL
                                      (TABLE stored EXCEPT TABLE fresh)) AS d
                """
            )
            row = cursor.fetchone()
            assert row is not None
            found[name] = int(row[0])
    return found


def in_chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    every = list(ids)
    for start in range(0, len(every), CHUNK):
        yield every[start : start + CHUNK]
