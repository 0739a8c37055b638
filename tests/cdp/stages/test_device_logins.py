"""One tablet, several people: a login switches whose the events are, a logout ends it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from cdp import changing, pipeline
from cdp.models import Event, Identifier, Source
from tests.cdp.stages.test_change_rules import quiet
from tests.conftest import Sent, graph_contents, identify, sound_profiles, track

pytestmark = [pytest.mark.graph, pytest.mark.django_db(transaction=True)]
TABLET = "tablet-1"


def view(message: str, minutes: int) -> dict[str, Any]:
    sku = {"sku": f"T-{message}", "price": 1}
    return track(message, "Product Viewed", minutes, anonymousId=TABLET, properties=sku)


def day() -> list[dict[str, Any]]:
    """Somebody looks; Alice logs in, looks, logs out; somebody looks; Bob logs in and looks."""
    return [
        view("before", 1),
        identify("in-a", 2, anonymousId=TABLET, userId="alice"),
        view("alice-1", 3),
        view("alice-2", 4),
        track("out-a", "Signed Out", 5, anonymousId=TABLET),
        view("between", 6),
        identify("in-b", 7, anonymousId=TABLET, userId="bob"),
        view("bob-1", 8),
    ]


WHOSE = {
    "before": "cookie:tablet-1", "in-a": "user_id:alice", "alice-1": "user_id:alice",
    "alice-2": "user_id:alice", "out-a": "cookie:tablet-1", "between": "cookie:tablet-1",
    "in-b": "user_id:bob", "bob-1": "user_id:bob",
}  # fmt: skip


def whose() -> dict[str, str]:
    rows = Event.objects.select_related("subject")
    return {row.message_id: str(row.subject) for row in rows}


def sound() -> bool:
    identity = sum(n for n, _ in changing.check_identity(quiet).values())
    return (
        not identity and not sum(n for n, _ in pipeline.check_graph().values()) and sound_profiles()
    )


def test_what_happens_between_logins_is_of_the_one_logged_in(
    graph: str, web: Source, send: Sent
) -> None:
    send(web, *day())
    pipeline.drain()
    assert whose() == WHOSE
    alice, bob = (Identifier.objects.get(value=name) for name in ("alice", "bob"))
    assert alice.customer != bob.customer
    edges = {(sku, identity) for _, identity, sku, *_ in graph_contents()["edges"]}
    assert ("T-bob-1", bob.pk) in edges and ("T-alice-2", alice.pk) in edges
    assert sound()


@pytest.mark.parametrize("seed", range(6))
def test_the_order_and_the_batches_in_which_it_comes_change_nothing(
    seed: int, graph: str, web: Source, send: Sent
) -> None:
    dice = random.Random(seed)
    events = day() + day()  # everything twice
    dice.shuffle(events)
    while events:
        for _ in range(dice.randrange(1, 5)):
            if events:
                send(web, events.pop(), minutes=600)
        while pipeline.process_events():
            pass
    pipeline.drain()
    assert whose() == WHOSE
    assert sound()


def test_with_one_person_the_device_keeps_its_events(graph: str, web: Source, send: Sent) -> None:
    """Whoever is alone on a device is its customer anyway; nothing is moved for it."""
    send(web, *day()[:6])
    pipeline.drain()
    assert whose()["alice-1"] == "cookie:tablet-1"
    tablet, alice = (Identifier.objects.get(value=v) for v in (TABLET, "alice"))
    assert tablet.customer == alice.customer
    assert sound()


def test_a_kiosk_that_is_the_shops_own_still_knows_who_is_logged_in(
    graph: str, web: Source, send: Sent
) -> None:
    number = changing.draft_rules(_owned(), "dana", "our kiosk").pk
    changing.simulate_rules(number, quiet)
    changing.apply_rules(number, "dana", quiet)
    send(web, *day())
    pipeline.drain()
    assert whose() == WHOSE
    assert Identifier.objects.get(value=TABLET).shared
    assert sound()


def test_rebuilding_identity_finds_the_same_logins(graph: str, web: Source, send: Sent) -> None:
    send(web, *day())
    pipeline.drain()
    Event.objects.filter(message_id="bob-1").update(subject=Identifier.objects.get(value=TABLET))
    assert changing.check_identity(quiet)["events"][0] == 1
    changing.rebuild_identity("dana", quiet)
    pipeline.drain()
    assert whose() == WHOSE and sound()


def _owned() -> dict[str, Any]:
    from tests.cdp.stages.test_change_rules import document

    return document(lambda d: d["kinds"]["cookie"].update(shop_owned=["tablet-.*"]))
