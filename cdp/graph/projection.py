"""Graph rows as PostgreSQL knows them, and their idempotent writing into the graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Q

from cdp.graph import cypher, session
from cdp.graph.session import Row
from cdp.models import Customer, Event, Identifier, Interaction, Product, Profile

CONSENT = "consent.personalization"
BATCH = 1000


def ensure_schema() -> None:
    for statement in cypher.SCHEMA:
        session.run(statement)


def product_rows(products: Iterable[Product]) -> list[Row]:
    return [
        {"sku": p.sku, "title": p.title, "brand": p.brand, "category": p.category} for p in products
    ]


def identity_rows(identifiers: Iterable[int]) -> list[Row]:
    """Identities with the customer they belong to now; those not resolved yet are left out."""
    found = Identifier.objects.filter(id__in=list(identifiers), customer__isnull=False)
    rows = list(
        found.order_by("id").values_list(
            "id", "kind", "shared", "customer_id", "customer__public_id"
        )
    )
    refused = refusing({row[3] for row in rows})
    return [
        {"id": id_, "kind": kind, "shared": shared, "customer": str(public),
         "consented": customer not in refused}
        for id_, kind, shared, customer, public in rows
    ]  # fmt: skip


def refusing(customers: Iterable[int]) -> set[int]:
    """Those of the customers who said no to personalization."""
    said_no = Q(traits__contains={CONSENT: {"value": False}})
    rows = Profile.objects.filter(said_no, customer_id__in=list(customers))
    return set(rows.values_list("customer_id", flat=True))


def interaction_rows(events: Iterable[int]) -> list[Row]:
    rows = Interaction.objects.filter(event_id__in=list(events), event__subject__isnull=False)
    return [
        {
            "identity": row.event.subject_id, "sku": row.sku, "verb": row.verb,
            "event": row.event_id, "line": row.line, "channel": row.event.channel,
            "at": int(row.event.occurred_at.timestamp() * 1000),
            "quantity": float(row.quantity), "amount": float(row.amount),
        }
        for row in rows.select_related("event").only(
            "sku", "verb", "line", "quantity", "amount", "event__subject_id", "event__channel",
            "event__occurred_at",
        ).order_by("event_id", "line")
    ]  # fmt: skip


def stale_edge_rows(events: Iterable[int]) -> list[Row]:
    """For re-attributed events: every identity in them that is not their subject (any more)."""
    rows = Event.objects.filter(id__in=list(events)).values_list("id", "identifiers", "subject_id")
    return [
        {"event": id_, "identity": other}
        for id_, identifiers, subject in rows
        for other in identifiers
        if other != subject
    ]


def write_products(rows: Sequence[Row]) -> None:
    placed = [row for row in rows if row["category"]]
    for part in _parts(rows):
        session.write(
            [(cypher.WRITE_PRODUCTS, {"rows": part}), (cypher.MOVE_PRODUCTS, {"rows": part})]
        )
    for part in _parts(placed):
        session.write([(cypher.PLACE_PRODUCTS, {"rows": part})])


def write_identities(rows: Sequence[Row]) -> None:
    for part in _parts(rows):
        session.write(
            [
                (cypher.WRITE_IDENTITIES, {"rows": part}),
                (cypher.LEAVE_CUSTOMERS, {"rows": part}),
                (cypher.JOIN_CUSTOMERS, {"rows": part}),
            ]
        )


def write_interactions(rows: Sequence[Row]) -> None:
    for part in _parts(rows):
        statements: list[tuple[str, Row]] = [
            (cypher.ENSURE_PRODUCTS, {"skus": sorted({row["sku"] for row in part})}),
            (cypher.ENSURE_IDENTITIES, {"ids": sorted({row["identity"] for row in part})}),
        ]
        for verb in cypher.VERBS:
            mine = [row for row in part if row["verb"] == verb]
            if mine:
                statements.append((cypher.write_interactions(verb), {"rows": mine}))
        session.write(statements)


def drop_stale(events: Iterable[int], pairs: Iterable[tuple[int, int]]) -> None:
    """Remove edges of events that hang elsewhere now: on another of their identifiers, or on one
    of ``pairs`` (event, identifier), which the event may not even name any more."""
    given = list(pairs)
    rows = Event.objects.filter(id__in=[event for event, _ in given])
    subjects = dict(rows.values_list("id", "subject_id"))
    moved = [
        {"event": event, "identity": identity}
        for event, identity in given
        if subjects.get(event) != identity
    ]
    for part in _parts(stale_edge_rows(events) + moved):
        session.write([(cypher.DROP_MOVED, {"rows": part})])


def drop_lonely(identities: Iterable[int], customers: Iterable[int]) -> None:
    """Remove identities that belong to nobody any more, and customers that nobody belongs to."""
    gone = Identifier.objects.filter(id__in=list(identities), customer=None)
    for part in _parts([{"id": id_} for id_ in gone.values_list("id", flat=True)]):
        session.write([(cypher.DROP_IDENTITIES, {"ids": [row["id"] for row in part]})])
    empty = Customer.objects.filter(id__in=list(customers), identifiers__isnull=True)
    for part in _parts(
        [{"id": str(public)} for public in empty.values_list("public_id", flat=True)]
    ):
        session.write([(cypher.DROP_EMPTY_CUSTOMERS, {"ids": [row["id"] for row in part]})])


def _parts(rows: Sequence[Row]) -> Iterable[list[Row]]:
    for start in range(0, len(rows), BATCH):
        yield list(rows[start : start + BATCH])
