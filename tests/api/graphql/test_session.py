"""Suggestions for a visitor nobody knows, by what they did in this visit."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from cdp.domain.listing import Listing
from cdp.models import (
    Artifact,
    ArtifactStatus,
    Customer,
    Exposure,
    Identifier,
    Product,
    ProductVector,
    Slate,
    Snapshot,
)
from cdp.stages.catalogue import write_products
from tests.api.graphql.conftest import Ask
from tests.api.graphql.test_schema import errors

pytestmark = pytest.mark.django_db(transaction=True)
QUERY = """query S($touches: [SessionTouchInput!]!, $first: Int! = 3, $on: Channel! = WEB) {
  sessionSlate(touches: $touches, first: $first, channel: $on) { strategy personal
    items { rank reason product { sku } explanation { text } } } }"""
# Kitchen is one direction, camping another; the app's tent is not for the web.
PLACES = {
    "tea": [1, 0], "pot": [0.96, 0.28], "cup": [0.8, 0.6],
    "tent": [0, 1], "bag": [0.28, 0.96], "app-tent": [0.1, 0.99], "sold": [0.05, 0.99],
}  # fmt: skip


@pytest.fixture
def shop(db: None, settings: Any) -> Artifact:
    settings.SLATE_DIVERSITY = 0.0
    write_products(
        [
            Listing(sku=sku, title=sku.title(), in_stock=sku != "sold",
                    channels=("app",) if sku == "app-tent" else ())
            for sku in [*PLACES, "new"]
        ],
        "test",
    )  # fmt: skip
    taken = Snapshot.objects.create(path="", checksum="", customers=0, products=0, interactions=0)
    artifact = Artifact.objects.create(
        snapshot=taken, model="graph-filter", parameters={}, metrics={}, device="cpu", seconds=0,
        status=ArtifactStatus.SERVING, served_from=timezone.now(),
    )  # fmt: skip
    for sku, vector in PLACES.items():
        product = Product.objects.get(sku=sku)
        ProductVector.objects.create(
            artifact=artifact, product=product, vector=vector, fold_weight=1
        )
    items = [{"sku": sku, "score": 1.0, "reason": {"kind": "popular"}} for sku in ("tea", "tent")]
    Slate.objects.create(artifact=artifact, customer=None, items=items)
    return artifact


def slate(ask: Ask, *touches: tuple[str, str], **variables: Any) -> tuple[str, list[str]]:
    given = [{"sku": sku, "verb": verb} for sku, verb in touches]
    found = ask(QUERY, touches=given, **variables)["data"]["sessionSlate"]
    return found["strategy"], [item["product"]["sku"] for item in found["items"]]


def test_what_is_near_to_what_was_looked_at_as_the_channel_may_show(
    ask: Ask, shop: Artifact
) -> None:
    assert slate(ask, ("tea", "VIEWED")) == ("session", ["pot", "cup", "bag"])
    assert slate(ask, ("tent", "VIEWED")) == ("session", ["bag", "cup", "pot"])
    assert slate(ask, ("tent", "VIEWED"), on="APP") == ("session", ["app-tent", "bag", "cup"])
    # A basket outweighs a look, and what was put back counts against its like.
    assert slate(ask, ("tent", "VIEWED"), ("tea", "ADDED"))[1][0] == "pot"
    assert slate(ask, ("tea", "ADDED"), ("tea", "RETURNED"), ("tent", "VIEWED"))[1][0] == "bag"


def test_the_reason_names_the_touch_and_nobody_is_kept(ask: Ask, shop: Artifact) -> None:
    touches = [{"sku": "tent"}, {"sku": "tea", "verb": "VIEWED"}]
    [first, *_] = ask(QUERY, touches=touches)["data"]["sessionSlate"]["items"]
    assert first["product"]["sku"] == "cup"  # between both; tea was looked at last
    assert first["reason"]["sku"] == "tea" and first["reason"]["verb"] == "viewed"
    # tea says .8, the tent before it .9 x .6
    assert first["reason"]["share"] == pytest.approx(0.8 / 1.34, abs=1e-3)
    assert first["explanation"]["text"] == "You viewed Tea."
    kept = (Customer, Identifier, Exposure)
    assert [table.objects.count() for table in kept] == [0, 0, 0]


def test_what_says_nothing_gets_what_is_popular_by_name(ask: Ask, shop: Artifact) -> None:
    for touches in ([("new", "VIEWED")], [("unknown", "ADDED")], [("tea", "RETURNED")], [("tea", "ADDED"), ("tea", "RETURNED")]):  # fmt: skip
        strategy, skus = slate(ask, *touches)
        assert strategy == "popularity" and skus[-1] == "tent"
    ProductVector.objects.exclude(product__sku="tea").delete()
    assert slate(ask, ("tea", "VIEWED")) == ("popularity", ["tent"])


def test_diversity_holds_in_a_session_too(ask: Ask, shop: Artifact, settings: Any) -> None:
    settings.SLATE_DIVERSITY = 0.7
    assert slate(ask, ("tea", "VIEWED"), first=2) == ("session", ["pot", "tent"])


def test_bad_sessions_are_refused_by_name(ask: Ask, shop: Artifact) -> None:
    one = {"sku": "tea", "verb": "VIEWED"}
    assert errors(ask(QUERY, touches=[])) == [("bad_touches", "touches")]
    assert errors(ask(QUERY, touches=[one] * 101)) == [("bad_touches", "touches")]
    assert errors(ask(QUERY, touches=[one], first=0)) == [("bad_page_size", "first")]
    assert errors(ask(QUERY, touches=[one], scopes=["profiles:read"])) == [("forbidden", None)]
    Artifact.objects.update(status=ArtifactStatus.RETIRED)
    assert ask(QUERY, touches=[one])["data"]["sessionSlate"] is None
