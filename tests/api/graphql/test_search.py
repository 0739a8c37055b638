"""Search over GraphQL: words, meaning by the exported encoder, and for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings

from api import query_encoder
from cdp import pipeline
from cdp.artifacts import encoder_digest
from cdp.domain.listing import Listing
from cdp.models import (
    Artifact,
    CustomerVector,
    Product,
    ProductText,
    ProductVector,
    Snapshot,
    Source,
)
from cdp.models import Customer as CustomerRow
from cdp.selectors.search import unread
from cdp.stages.catalogue import write_products
from graph_ml import searching
from graph_ml.text import encode
from tests.api.graphql.conftest import Ask
from tests.api.graphql.test_schema import errors
from tests.conftest import Sent, track

pytestmark = pytest.mark.django_db(transaction=True)
QUERY = """query S($q: String!, $user: IdentifierInput, $first: Int! = 3) {
  search(query: $q, customer: $user, channel: WEB, first: $first) { strategy items { score product { sku } } } }"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder as a worker exports it, once for all tests here."""
    folder = tmp_path_factory.mktemp("artifacts")
    before = settings.ARTIFACTS
    settings.ARTIFACTS = folder
    try:
        encode(["read before, as a worker does"])
        searching.export()
    finally:
        settings.ARTIFACTS = before
    return folder


@pytest.fixture
def shop(db: None, exported: Path, settings: Any) -> None:
    settings.ARTIFACTS = exported
    write_products(
        [
            Listing(sku="kettle", title="Electric kettle for boiling water", category="Kitchen"),
            Listing(sku="tent", title="Two-person tent", category="Camping"),
            Listing(sku="bag", title="Sleeping bag, down", category="Camping"),
            Listing(sku="app-tent", title="Festival tent", category="Camping", channels=("app",)),
            Listing(sku="sold", title="Family tent", category="Camping", in_stock=False),
        ],
        "test",
    )
    assert searching.index_products() == 5


def found(ask: Ask, query: str, **variables: Any) -> tuple[str, list[str]]:
    answer = ask(QUERY, q=query, **variables)["data"]["search"]
    return answer["strategy"], [item["product"]["sku"] for item in answer["items"]]


def test_the_web_s_encoder_is_the_worker_s(exported: Path, settings: Any) -> None:
    settings.ARTIFACTS = exported
    text = "a warm sleeping bag for cold nights"
    assert np.allclose(query_encoder.encode(text), encode([text])[0], atol=1e-4)


def test_by_word_and_by_meaning_as_the_channel_may_show(ask: Ask, shop: None) -> None:
    strategy, skus = found(ask, "tent")
    assert strategy == "words + meaning" and skus[0] == "tent"
    assert not {"app-tent", "sold"} & set(skus)
    assert found(ask, "make tea hot")[1][0] == "kettle"  # no word in common
    assert found(ask, "kett")[1][0] == "kettle"  # a beginning


def test_for_a_customer_what_is_nearer_to_them_comes_first(
    ask: Ask,
    shop: None,
    web: Source,
    send: Sent,
) -> None:
    send(web, track("m1", "Product Viewed", userId="alice", properties={"sku": "bag"}))
    pipeline.process_events()
    snapshot = Snapshot.objects.create(
        path="", checksum="", customers=1, products=3, interactions=1
    )
    artifact = Artifact.objects.create(
        snapshot=snapshot,
        model="x",
        parameters={},
        metrics={},
        device="cpu",
        seconds=1,
        status="serving",
    )
    for sku, vector in {"tent": [0, 1], "bag": [1, 0], "kettle": [0, -1]}.items():
        ProductVector.objects.create(artifact=artifact, product=Product.objects.get(sku=sku), vector=vector, fold_weight=1)  # fmt: skip
    alice = CustomerRow.objects.get(identifiers__value="alice")
    CustomerVector.objects.create(artifact=artifact, customer=alice, vector=[1, 0])
    user = {"kind": "user_id", "value": "alice"}
    strategy, skus = found(ask, "camping", user=user)
    assert strategy == "words + meaning + customer" and skus[0] == "bag"
    stranger = {"kind": "user_id", "value": "nobody"}
    assert found(ask, "camping", user=stranger)[0] == "words + meaning"


def test_before_a_worker_read_the_catalogue_words_alone_are_said(
    ask: Ask,
    shop: None,
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.ARTIFACTS = tmp_path
    assert found(ask, "tent")[0] == "words"
    ProductText.objects.all().delete()
    assert found(ask, "tent") == ("", [])


def test_changed_words_are_read_anew(shop: None) -> None:
    assert not unread()
    write_products([Listing(sku="kettle", title="Copper kettle", category="Kitchen")], "test")
    assert unread() and searching.index_products() == 1 and not unread()
    assert ProductText.objects.get(product__sku="kettle").encoder == encoder_digest(settings.TEXT_ENCODER)  # fmt: skip


@pytest.mark.parametrize("query", ["", "   ", "x" * 301, "a\x00b"])
def test_a_bad_query_is_named(ask: Ask, query: str, db: None) -> None:
    assert errors(ask(QUERY, q=query))[0][0] in ("bad_query", "bad_request")


@pytest.mark.parametrize("query", ["' | !! &", "a:*b <-> c", "…", "%s %(x)s"])
def test_odd_queries_find_something_or_nothing(ask: Ask, query: str, shop: None) -> None:
    assert isinstance(found(ask, query)[1], list)
