"""GraphQL as channel apps, integrations and attackers use it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api.exposing import BUFFER
from cdp import pipeline
from cdp.domain.listing import listing
from cdp.models import (
    Artifact,
    ChannelSpec,
    Exposure,
    Scope,
    Slate,
    Snapshot,
    Source,
)
from cdp.selectors.customers import by_identifiers, normalised
from cdp.stages.catalogue import write_products
from tests.api.graphql.conftest import Ask
from tests.conftest import Sent, identify, track

pytestmark = pytest.mark.django_db(transaction=True)

PROFILE = """
query($value: String!) { customer(identifier: {kind: "email", value: $value}) {
  id identifiers { kind value shared } traits { key value channel source }
  counters { channel verb events amount }
  timeline(first: 2) { pageInfo { hasNextPage endCursor } edges { node { name channel } } }
} }
"""
SLATE = """
query($value: String!, $channel: Channel) { customer(identifier: {kind: "email", value: $value}) {
  recommendations(first: 3, channel: $channel) { personal model items {
    rank reason product { sku content(locale: "en") { text locale origin facts } } } }
} }
"""


@pytest.fixture
def alice(web: Source, app: Source, send: Sent) -> None:
    send(
        web,
        identify(
            "m1",
            1,
            anonymousId="ck-a",
            userId="alice",
            traits={"email": "alice@mail.example", "name": "Alice"},
        ),
    )
    send(
        web,
        track("m2", "Product Viewed", 2, anonymousId="ck-a", properties={"sku": "T1", "price": 4}),
    )
    send(app, identify("m3", 3, anonymousId="dev-a", userId="alice"))
    send(
        app,
        track(
            "m4", "Order Completed", 4, anonymousId="dev-a", properties={"sku": "T2", "price": 9}
        ),
    )
    pipeline.process_events()


@pytest.fixture
def slate(alice: None) -> None:
    rows = [{"sku": f"T{n}", "title": f"Tea {n}", "price": f"{n}.50"} for n in range(1, 6)]
    rows[1]["channels"] = "app"
    rows[2]["in_stock"] = "no"
    write_products([listing(row, "USD") for row in rows], "test")
    for channel in ("web", "app"):
        ChannelSpec.objects.create(
            channel=channel, locale="en", template="{name} for {price}.", max_characters=99
        )
    snapshot = Snapshot.objects.create(
        path="", checksum="", customers=1, products=5, interactions=2
    )
    artifact = Artifact.objects.create(
        snapshot=snapshot,
        model="lightgcn",
        parameters={},
        metrics={},
        device="cpu",
        seconds=1,
        status="serving",
    )
    key = normalised("email", "alice@mail.example", "US")
    items = [{"sku": f"T{n}", "score": 1 / n, "reason": {"text": "x"}} for n in range(1, 6)]
    Slate.objects.create(
        artifact=artifact, customer=by_identifiers([key])[key].customer, items=items
    )


def errors(answer: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [
        (e["extensions"]["code"], e["extensions"].get("field")) for e in answer.get("errors", [])
    ]


def test_a_customer_by_any_identifier_in_any_spelling(ask: Ask, alice: None) -> None:
    customer = ask(PROFILE, value=" ALICE@mail.example")["data"]["customer"]
    assert {(i["kind"], i["value"]) for i in customer["identifiers"]} == {
        ("cookie", "ck-a"), ("user_id", "alice"), ("email", "alice@mail.example"), ("device_id", "dev-a"),
    }  # fmt: skip
    assert {t["key"]: (t["value"], t["channel"]) for t in customer["traits"]} == {
        "name": ("Alice", "web"), "email": ("alice@mail.example", "web"),
    }  # fmt: skip
    assert customer["counters"] == [
        {"channel": "app", "verb": "purchased", "events": 1, "amount": "9.0000"},
        {"channel": "web", "verb": "viewed", "events": 1, "amount": "4.0000"},
    ]


def test_the_timeline_goes_on_where_it_stopped(ask: Ask, alice: None) -> None:
    query = """query($after: String) { customer(identifier: {kind: "user_id", value: "alice"}) {
      timeline(first: 3, after: $after) { pageInfo { hasNextPage endCursor } edges { node { messageId } } } } }"""
    first = ask(query)["data"]["customer"]["timeline"]
    second = ask(query, after=first["pageInfo"]["endCursor"])["data"]["customer"]["timeline"]
    seen = [e["node"]["messageId"] for page in (first, second) for e in page["edges"]]
    assert seen == ["m4", "m3", "m2", "m1"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)


def test_nobody_is_null_and_a_bad_identifier_is_an_error(ask: Ask, alice: None) -> None:
    assert ask(PROFILE, value="nobody@mail.example") == {"data": {"customer": None}}
    assert errors(ask(PROFILE, value="n/a")) == [("bad_identifier", "identifier.value")]
    assert errors(ask("{ customer { id } }")) == [("bad_identifier", "identifier")]
    assert errors(ask('{ customer(id: "x") { id } }')) == [("bad_identifier", "id")]


def slate_on(ask: Ask, key_channel: str, asked: str | None = None) -> dict[str, Any]:
    query = SLATE.replace("$channel: Channel", "$on: Channel").replace(
        "channel: $channel", "channel: $on"
    )
    answer = ask(query, channel=key_channel, value="alice@mail.example", on=asked)
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]["customer"]["recommendations"]
    return found


def test_one_ranking_filtered_by_what_each_channel_may_show(ask: Ask, slate: None) -> None:
    """T2 is for the app only, T3 is sold out."""
    web, app = slate_on(ask, "web"), slate_on(ask, "app")
    assert [i["product"]["sku"] for i in web["items"]] == ["T1", "T4", "T5"]
    assert [i["product"]["sku"] for i in app["items"]] == ["T1", "T2", "T4"]
    assert (web["personal"], web["model"]) == (True, "lightgcn")
    assert web["items"][0]["product"]["content"] == {
        "text": "Tea 1 for $1.50.", "locale": "en", "origin": "template",
        "facts": {"name": {"version": 1, "value": "Tea 1"}, "price": {"version": 1, "value": "1.5 USD"}},
    }  # fmt: skip


def test_what_was_served_is_recorded_off_the_path(ask: Ask, slate: None) -> None:
    slate_on(ask, "web")
    BUFFER.flush()
    kinds = Exposure.objects.order_by("kind").values_list("kind", "channel", "identifier__value")
    assert set(kinds) == {
        ("content", "web", "alice@mail.example"),
        ("slate", "web", "alice@mail.example"),
    }
    assert Exposure.objects.get(kind="slate").detail["items"] == ["T1", "T4", "T5"]


def test_a_keys_channel_binds_it(ask: Ask, slate: None) -> None:
    query = '{ customer(identifier: {kind: "user_id", value: "alice"}) { recommendations(channel: APP) { model } } }'
    assert errors(ask(query, channel="web")) == [("forbidden", "channel")]
    assert errors(ask(query.replace("(channel: APP)", ""))) == [("missing_channel", "channel")]


@pytest.mark.parametrize(
    ("query", "scope"),
    [
        ('{ customer(identifier: {kind: "user_id", value: "alice"}) { id } }', Scope.PROFILES_READ),
        ('{ receipt(messageId: "m1") { status } }', Scope.RECEIPTS_READ),
        ("{ consistency { score } }", Scope.CONSISTENCY_READ),
        ("{ profileChanges { edges { cursor } } }", Scope.CHANGES_READ),
        ('{ product(sku: "T1") { title } }', Scope.CONTENT_READ),
    ],
)
def test_each_field_needs_its_scope(
    ask: Ask, client: Client, alice: None, query: str, scope: str
) -> None:
    others = [s for s in Scope.values if s != scope]
    assert errors(ask(query, others)) == [("forbidden", None)]
    assert errors(ask(query, [scope])) == []
    body = json.dumps({"query": query})
    stranger = client.post("/graphql", body, content_type="application/json").json()
    assert errors(stranger) == [("unauthenticated", None)]


def test_an_unknown_key_is_401(client: Client) -> None:
    headers = {"Authorization": "Bearer nope"}
    response = client.post(
        "/graphql", '{"query": "{ __typename }"}', content_type="application/json", headers=headers
    )
    assert response.status_code == 401
    assert errors(response.json()) == [("unauthenticated", None)]


def test_receipts(ask: Ask, web: Source, send: Sent) -> None:
    send(web, {"type": "jump", "messageId": "bad"}, track("ok", "x", userId="u"))
    send(web, track("ok", "x", userId="u"))
    query = (
        "query($id: String!) { receipt(messageId: $id) { status reason field duplicates source } }"
    )
    assert ask(query, id="bad")["data"]["receipt"] == {
        "status": "QUARANTINED", "reason": "unknown_type", "field": "type", "duplicates": 0, "source": "web-shop",
    }  # fmt: skip
    assert ask(query, id="ok")["data"]["receipt"]["duplicates"] == 1
    assert ask(query, id="none")["data"]["receipt"] is None


def test_the_change_feed_pages(ask: Ask, web: Source, send: Sent) -> None:
    for name in ("alice", "bob", "dana"):
        send(web, identify(f"m-{name}", userId=name, traits={"name": name}))
        pipeline.process_events()
    query = """query($after: String) { profileChanges(first: 2, after: $after) {
      pageInfo { hasNextPage endCursor } edges { node { version absorbed traits { key value } } } } }"""
    first = ask(query)["data"]["profileChanges"]
    second = ask(query, after=first["pageInfo"]["endCursor"])["data"]["profileChanges"]
    names = [e["node"]["traits"][0]["value"] for page in (first, second) for e in page["edges"]]
    assert names == ["alice", "bob", "dana"]
    end = second["pageInfo"]["endCursor"]
    assert ask(query, after=end)["data"]["profileChanges"]["edges"] == []
    send(web, identify("m-again", 5, userId="alice", traits={"name": "Alice"}))
    pipeline.process_events()
    assert len(ask(query, after=end)["data"]["profileChanges"]["edges"]) == 1


@pytest.mark.parametrize("cursor", ["x", "W10=", "WyJhIiwgMV0="])
def test_a_foreign_cursor_is_refused(ask: Ask, cursor: str) -> None:
    query = "query($after: String) { profileChanges(after: $after) { edges { cursor } } }"
    assert errors(ask(query, after=cursor)) == [("bad_cursor", "after")]


@pytest.mark.parametrize("first", [0, -1, 101])
def test_page_sizes(ask: Ask, first: int) -> None:
    assert errors(ask(f"{{ profileChanges(first: {first}) {{ edges {{ cursor }} }} }}")) == [
        ("bad_page_size", "first")
    ]


def test_queries_are_bounded(ask: Ask) -> None:
    aliases = " ".join(f'a{n}: product(sku: "x") {{ title }}' for n in range(31))
    said = [e["message"] for e in ask(f"{{ {aliases} }}")["errors"]]
    assert said == ["the query has 31 aliases; at most 30 are answered"]
    deep = "{ consistency " + "{ dimensions " * 10 + "{ name }" + " }" * 10 + " }"
    assert "the query has 12 fields deep; at most 10 are answered" in [
        e["message"] for e in ask(deep)["errors"]
    ]
    long = " ".join("__typename" for _ in range(2500))
    assert errors(ask(f"{{ {long} }}"))


def test_fragments_that_spread_each_other_cost_no_exponential_time(ask: Ask) -> None:
    spreads = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(28))
    query = f"{{ ...F0 }} {spreads} fragment F28 on Query {{ __typename }}"
    started = time.monotonic()
    assert ask(query) == {"data": {"__typename": "Query"}}
    assert time.monotonic() - started < 20  # it would be minutes


def test_refusing_takes_the_personal_slate_away_at_once(
    ask: Ask, slate: None, web: Source, send: Sent
) -> None:
    assert slate_on(ask, "web")["personal"] is True
    Slate.objects.create(
        artifact=Artifact.objects.get(),
        customer=None,
        items=[{"sku": "T5", "score": 1, "reason": {"text": "popular"}}],
    )
    refuses = {"consent": {"categoryPreferences": {"personalization": False}}}
    send(web, identify("no", 9, userId="alice", context=refuses), minutes=20)
    pipeline.process_events()
    served = slate_on(ask, "web")
    assert (served["personal"], [i["product"]["sku"] for i in served["items"]]) == (False, ["T5"])


@pytest.mark.parametrize(
    "body",
    [b"null", b"5", b"[]", b"{", b"\xff", b'{"query": "{__typename}", "variables": {"a": ' + b"[" * 3000 + b"]" * 3000 + b"}}",
     b'{"query": "{__typename}", "variables": {"a": "\\u0000"}}'],
)  # fmt: skip
def test_bodies_that_are_no_request(client: Client, body: bytes) -> None:
    response = client.post("/graphql", body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] in (
        "bad_query",
        "invalid_json",
        "json_too_deep",
    )


def test_characters_that_cannot_be_stored_name_nothing(ask: Ask) -> None:
    assert ask('{ receipt(messageId: "a\\u0000") { status } }') == {"data": {"receipt": None}}
    assert ask('{ product(sku: "a\\u0000") { title } }') == {"data": {"product": None}}
    assert errors(ask('{ customer(identifier: {kind: "user_id", value: "a\\u0000"}) { id } }')) == [
        ("bad_identifier", "identifier.value")
    ]


def test_a_slate_with_texts_costs_ten_queries_however_long(ask: Ask, slate: None) -> None:
    query = """query($first: Int!) { customer(identifier: {kind: "user_id", value: "alice"}) {
      recommendations(first: $first) { items { product { sku content { text } } } } } }"""
    counts = []
    for first in (1, 4):
        ask(query, channel="app", first=first)
        with CaptureQueriesContext(connection) as captured:
            ask(query, channel="app", first=first)
        counts.append(len(captured))
    assert counts == [10, 10]


def test_people_get_graphiql_without_the_internet(client: Client) -> None:
    page = client.get("/graphql", headers={"Accept": "text/html"})
    assert page.status_code == 200
    html = page.content.decode()
    assert "graphiql.min.js" in html
    assert "//unpkg" not in html and "https://" not in html


def test_a_slate_says_what_it_rests_on_and_when(ask: Ask, slate: None) -> None:
    query = SLATE.replace("personal model", "personal model strategy computedAt")
    answer = ask(query, channel="web", value="alice@mail.example")
    served = answer["data"]["customer"]["recommendations"]
    assert served["strategy"] == "personal" and served["computedAt"]
    Slate.objects.filter(customer__isnull=False).update(customer=None)
    answer = ask(query, channel="web", value="alice@mail.example")
    assert answer["data"]["customer"]["recommendations"]["strategy"] == "popularity"


def test_similar_products_by_the_vectors_of_what_serves(ask: Ask, slate: None) -> None:
    from cdp.models import Product, ProductVector

    artifact = Artifact.objects.get()
    places = {"T1": [1, 0], "T2": [0.8, 0.6], "T4": [0, 1], "T5": [0.96, 0.28]}
    for sku, vector in places.items():
        product = Product.objects.get(sku=sku)
        ProductVector.objects.create(
            artifact=artifact, product=product, vector=vector, fold_weight=1
        )
    query = '{ similarProducts(sku: "T1", first: 2, channel: APP) { score product { sku } } }'
    found = ask(query)["data"]["similarProducts"]
    assert [row["product"]["sku"] for row in found] == ["T5", "T2"]
    assert found[0]["score"] == pytest.approx(0.96, abs=1e-6)
    on_web = ask(query.replace("APP", "WEB"))["data"]["similarProducts"]
    assert [row["product"]["sku"] for row in on_web] == ["T5", "T4"]  # T2 is for the app alone
    assert (
        ask('{ similarProducts(sku: "unknown", channel: WEB) { score } }')["data"][
            "similarProducts"
        ]
        == []
    )
    assert errors(ask('{ similarProducts(sku: "T1", first: 0, channel: WEB) { score } }')) == [
        ("bad_page_size", "first")
    ]
