"""The sample shop through ingestion, identity and the consistency baseline; its truth is known."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest
from django.utils import timezone

from cdp import pipeline
from cdp.domain.identifiers import Key
from cdp.models import Exposure, Identifier, Source
from cdp.selectors.customers import by_identifiers
from cdp.simulator import shop, truth
from cdp.simulator.journeys import CHANNELS, Message
from tests.conftest import sound_profiles

pytestmark = pytest.mark.django_db(transaction=True)


def raw(message: Message) -> dict[str, object]:
    event: dict[str, object] = {
        "type": message.call, "messageId": message.message_id, "anonymousId": message.anonymous_id,
        "userId": message.user_id, "timestamp": message.at.isoformat(), "context": message.context,
    }  # fmt: skip
    return event | (
        {"traits": message.body}
        if message.call == "identify"
        else {"event": message.event, "properties": message.body}
    )


def take_in(made: shop.Shop) -> None:
    sources = {row.channel: row for row in Source.objects.all()}
    waiting: dict[str, list[object]] = defaultdict(list)
    for message in made.messages:
        waiting[message.source].append(raw(message))
    for channel, events in waiting.items():
        for start in range(0, len(events), 500):
            envelope = pipeline.Envelope(channel=channel, received_at=timezone.now())
            pipeline.accept(sources[channel], events[start : start + 500], envelope)
    while pipeline.process_events():
        pass


def test_strangers_become_the_people_they_are(graph: str) -> None:
    """300 people with every hazard: the figures that the demo prints, on a smaller town."""
    made = shop.open_shop(300, 4.0, timezone.now())
    take_in(made)
    pipeline.drain()
    found = truth.accuracy(truth.owners(made.messages, "US"))
    assert (round(found.precision, 3), round(found.recall, 3)) == (0.993, 0.83)
    assert {row.value for row in Identifier.objects.filter(shared=True)} >= {
        f"till-{n:02}" for n in range(12)
    }
    assert sound_profiles()
    assert sum(n for n, _ in pipeline.check_graph().values()) == 0


def test_each_channel_alone_knows_less(graph: str) -> None:
    """The same exposures on web and app: alike with Unison; alone, alike only by a common identifier."""
    now = timezone.now()
    made = shop.open_shop(300, 4.0, now)
    take_in(made)
    alice = made.town.people[0]
    keys = {
        "web": Key("cookie", alice.cookies[0]),
        "app": Key("device_id", alice.devices[0]),
        "store": Key("loyalty_card", str(alice.loyalty_card)),
    }
    found = by_identifiers(list(keys.values()))
    assert len({found[key].customer.id for key in keys.values()}) == 1
    sku = made.catalogue[0].sku
    fact = {"price": {"version": 1, "value": "1 USD"}}
    for channel, key in keys.items():
        common = {
            "channel": channel,
            "identifier": found[key].identifier,
            "occurred_at": now,
            "customer_as_served": found[key].customer.public_id,
        }
        Exposure.objects.create(
            kind="slate",
            detail={"items": [p.sku for p in made.catalogue[:10]], "artifact": 1},
            **common,
        )
        Exposure.objects.create(
            kind="content", detail={"sku": sku, "locale": "en", "facts": fact}, **common
        )
        Exposure.objects.create(
            kind="profile", detail={"version": 1, "traits": {"name": alice.name}}, **common
        )
    report = pipeline.measure_consistency(now - timedelta(hours=1), now + timedelta(hours=1))
    rows = dict(report.rows())
    assert {name: row["score"] for name, row in rows.items() if name != "slate"} == {
        "identity": 1.0,
        "data": 1.0,
        "content": 1.0,
    }
    # Web and app both know her account, web and store her e-mail; app and store nothing in common.
    assert rows["identity"]["alone"]["score"] == pytest.approx(2 / 3)
    # Her name is given on web and app, never in the store.
    assert rows["data"]["alone"]["score"] == pytest.approx(1 / 3)
    # No artifact serves: alone nobody has a slate, so the pairs are left out on both sides.
    assert rows["slate"]["leftOut"] == {"alone_fewer_than_three": 3}
    assert set(CHANNELS) >= set(keys)


def test_the_demo_refuses_a_database_that_is_not_its_own(web: Source) -> None:
    with pytest.raises(Exception, match="not_the_demos"):
        shop.refuse_foreign_data()
