"""The interaction graph, on the embedded engine and on a real Neo4j."""

from __future__ import annotations

from typing import Any

import pytest

from cdp import pipeline
from cdp.domain.listing import Listing
from cdp.errors import CDPError
from cdp.graph import cypher, session
from cdp.models import (
    Identifier,
    OutboxMessage,
    Profile,
    Source,
    Topic,
    TraitObservation,
)
from cdp.stages.catalogue import write_products
from tests.conftest import Sent, external, graph_contents, identify, track

pytestmark = [pytest.mark.graph, pytest.mark.django_db(transaction=True)]


def shop(*rows: tuple[str, str]) -> None:
    write_products(
        [Listing(sku=sku, title=f"title {sku}", category=category) for sku, category in rows],
        "test",
    )


def order(message_id: str, minutes: int, *skus: str, **rest: Any) -> dict[str, Any]:
    products = [{"sku": sku, "price": 3, "quantity": 2} for sku in skus]
    return track(message_id, "Order Completed", minutes, properties={"products": products}, **rest)


def differences() -> int:
    return sum(count for count, _ in pipeline.check_graph().values())


def test_identities_of_one_customer_and_what_they_did(
    graph: str, web: Source, app: Source, send: Sent
) -> None:
    shop(("T1", "Tea"), ("T2", "Tea"))
    send(
        web,
        track("m1", "Product Viewed", 1, anonymousId="ck-a", properties={"sku": "T1", "price": 4}),
    )
    send(web, identify("m2", 2, anonymousId="ck-a", userId="alice"))
    send(app, order("m3", 3, "T1", "T2", userId="alice", anonymousId="dev-a"))
    pipeline.drain()
    rows = session.stream(
        "MATCH (c:Customer)<-[:BELONGS_TO]-(i:Identity)-[r]->(p:Product)-[:IN]->(k:Category) "
        "RETURN c.id AS customer, i.kind AS kind, type(r) AS verb, p.sku AS sku, r.quantity AS n, "
        "k.name AS category, r.channel AS channel"
    )
    found = list(rows)
    assert len({row["customer"] for row in found}) == 1
    assert sorted(
        (r["kind"], r["verb"], r["sku"], r["n"], r["category"], r["channel"]) for r in found
    ) == [
        ("cookie", "VIEWED", "T1", 1.0, "Tea", "web"),
        ("user_id", "PURCHASED", "T1", 2.0, "Tea", "app"),
        ("user_id", "PURCHASED", "T2", 2.0, "Tea", "app"),
    ]
    assert differences() == 0


def test_projecting_again_changes_nothing(graph: str, web: Source, send: Sent) -> None:
    send(web, order("m1", 1, "T1", "T1", userId="alice"))
    pipeline.process_events()
    payload = OutboxMessage.objects.get(topic=Topic.GRAPH).payload
    pipeline.project_graph()
    before = graph_contents()
    assert len(before["edges"]) == 2
    OutboxMessage.objects.create(topic=Topic.GRAPH, payload=payload)
    pipeline.project_graph()
    assert graph_contents() == before


def test_a_merge_moves_memberships_and_drops_the_empty_customer(
    graph: str, web: Source, send: Sent
) -> None:
    send(web, order("m1", 1, "T1", anonymousId="ck-a"))
    send(web, order("m2", 2, "T2", userId="alice"))
    pipeline.drain()
    assert len(graph_contents()["customers"]) == 2
    edges = graph_contents()["edges"]
    send(web, identify("m3", 3, anonymousId="ck-a", userId="alice"))
    pipeline.drain()
    after = graph_contents()
    assert len(after["customers"]) == 1
    assert after["edges"] == edges
    assert differences() == 0


def test_events_leave_an_identity_that_turns_out_to_be_shared(
    graph: str, store: Source, send: Sent
) -> None:
    desk = "desk@shop.example"
    for n in range(3):
        send(store, order(f"p{n}", n, "T1", context=external(email=desk, phone=f"+1206505741{n}")))
    pipeline.drain()
    for n in range(3):
        send(store, order(f"c{n}", 9 + n, "T1", context=external(email=desk, loyalty_card=f"L{n}")))
    pipeline.drain()
    email = Identifier.objects.get(kind="email")
    assert email.shared
    assert not [edge for edge in graph_contents()["edges"] if edge[1] == email.id]
    assert differences() == 0


def test_consent_follows_the_profile(graph: str, web: Source, send: Sent) -> None:
    refuses = {"consent": {"categoryPreferences": {"personalization": False}}}
    send(web, order("m1", 1, "T1", userId="alice"), order("m2", 1, "T1", userId="charlie"))
    pipeline.drain()
    send(web, identify("m3", 2, userId="charlie", context=refuses))
    pipeline.drain()
    consented = list(session.stream("MATCH (c:Customer) RETURN c.consented AS yes"))
    assert sorted(row["yes"] for row in consented) == [False, True]
    assert len(list(session.stream(cypher.read_customer_interactions("purchased")))) == 1


def test_a_product_changes_its_category(graph: str) -> None:
    shop(("T1", "Tea"), ("T2", ""))
    pipeline.drain()
    shop(("T1", "Coffee"))
    pipeline.drain()
    rows = {r["sku"]: r["category"] for r in session.stream(cypher.READ_PRODUCTS)}
    assert rows == {"T1": "Coffee", "T2": None}
    assert differences() == 0


def test_rebuilt_from_postgresql_the_graph_is_the_same(
    graph: str, web: Source, app: Source, send: Sent
) -> None:
    shop(("T1", "Tea"))
    for n in range(6):
        send(web, order(f"w{n}", n, "T1", f"T{n}", anonymousId=f"ck{n % 2}"))
        send(app, identify(f"a{n}", n, userId=f"u{n % 3}", anonymousId=f"dev{n % 2}"))
    send(app, order("x", 9, "T3", userId="u1"))
    pipeline.drain()
    before = graph_contents()
    session.run("MATCH (i:Identity)-[r]->(p:Product) DELETE r")
    assert differences() > 0
    pipeline.rebuild_graph(lambda name, n: None)
    assert graph_contents() == before
    assert differences() == 0


def test_an_edge_that_does_not_belong_is_found(graph: str, web: Source, send: Sent) -> None:
    send(web, order("m1", 1, "T1", userId="alice"))
    pipeline.drain()
    session.run(
        "MATCH (i:Identity) MATCH (p:Product) MERGE (i)-[:VIEWED {event: 99, line: 1}]->(p)"
    )
    assert pipeline.check_graph()["interactions"][0] == 1


def test_rebuilt_profiles_tell_the_graph(graph: str, web: Source, send: Sent) -> None:
    refuses = {"consent": {"categoryPreferences": {"personalization": False}}}
    send(
        web,
        order("m1", 1, "T1", userId="charlie"),
        identify("m2", 2, userId="charlie", context=refuses),
    )
    pipeline.drain()
    TraitObservation.objects.update(value=True)
    Profile.objects.update(traits={})
    session.run("MATCH (c:Customer) SET c.consented = true")
    pipeline.rebuild_profiles(lambda name, n: None)
    pipeline.drain()
    assert differences() == 0
    assert [
        row["yes"] for row in session.stream("MATCH (c:Customer) RETURN c.consented AS yes")
    ] == [False]


def test_while_the_graph_is_away_work_waits_and_is_done_later(
    graph: str, web: Source, send: Sent, settings: Any
) -> None:
    send(web, order("m1", 1, "T1", userId="alice"))
    assert pipeline.process_events() == 1
    where = settings.NEO4J_URI
    settings.NEO4J_URI = "bolt://127.0.0.1:9"
    assert pipeline.project_graph() == 0
    waiting = OutboxMessage.objects.get(topic=Topic.GRAPH)
    assert waiting.attempts == 1 and "graph_unavailable" in waiting.last_error
    with pytest.raises(CDPError) as error:
        list(session.stream(cypher.PING))
    assert error.value.retryable
    settings.NEO4J_URI = where
    OutboxMessage.objects.update(available_at=waiting.created_at)
    assert pipeline.project_graph() == 1
    assert differences() == 0
