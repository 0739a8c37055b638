"""The shop's consistency against each channel alone: on texts, and at one moment."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from cdp import pipeline
from cdp.domain.listing import Listing
from cdp.models import ChannelFact, Exposure, Identifier, Product, Source
from cdp.selectors.consistency import of_shop, one_moment
from cdp.stages.catalogue import write_products
from tests.conftest import Sent, identify

pytestmark = [pytest.mark.graph, pytest.mark.django_db(transaction=True)]


def test_alone_each_channel_states_its_own_facts_even_of_a_sku_with_slashes(
    graph: str, web: Source, app: Source, send: Sent
) -> None:
    write_products([Listing(sku="A/4/B", title="Paper", category="office")], "test")
    product = Product.objects.get(sku="A/4/B")
    ChannelFact.objects.create(product=product, channel="web", key="price", value="8.00")
    ChannelFact.objects.create(product=product, channel="app", key="price", value="9.00")
    send(web, identify("m1", userId="alice"))
    send(app, identify("m2", userId="alice"))
    pipeline.drain()
    now = timezone.now()
    alice = Identifier.objects.get(value="alice")
    stated = {key: {"version": 1, "value": "7.00"} for key in ("price", "weight")}
    for channel in ("web", "app"):
        Exposure.objects.create(
            kind="content", channel=channel, identifier=alice, occurred_at=now,
            customer_as_served=alice.customer.public_id,
            detail={"sku": "A/4/B", "locale": "en", "facts": stated},
        )  # fmt: skip
    report = of_shop(now - timedelta(hours=1), now + timedelta(hours=1))
    content = next(d for d in report.dimensions if d.name == "content")
    assert content.with_unison.score == 1.0
    assert content.alone.score == 0.5  # the prices differ, the weight nobody else states is equal


def test_what_arrives_meanwhile_changes_no_figure(web: Source, send: Sent) -> None:
    def arrive() -> None:
        try:
            send(web, identify("m1", userId="alice"))
            pipeline.process_events()
        finally:
            connection.close()

    with one_moment():
        assert Identifier.objects.count() == 0
        other = threading.Thread(target=arrive)
        other.start()
        other.join()
        assert Identifier.objects.count() == 0
    assert Identifier.objects.count() == 1
