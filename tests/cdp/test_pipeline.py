"""From accepted events to customers and profiles, in PostgreSQL."""

from __future__ import annotations

import random
from typing import Any

import pytest

from cdp import outbox, pipeline
from cdp.domain.identifiers import Key
from cdp.domain.partition import Link as Seen
from cdp.domain.partition import partition
from cdp.domain.rules import DEFAULT_RULES
from cdp.models import (
    Customer,
    Decision,
    Event,
    Identifier,
    Link,
    OutboxMessage,
    Profile,
    Source,
    Topic,
)
from cdp.selectors import explain
from cdp.selectors.customers import by_identifiers, by_public_id
from tests.conftest import Sent, external, identify, sound_profiles, track


def drain() -> None:
    while pipeline.process_events():
        pass


def customer_of(kind: str, value: str) -> Customer:
    key = Key(kind, value)
    return by_identifiers([key])[key].customer


def members() -> set[frozenset[str]]:
    groups: dict[int, set[str]] = {}
    for row in Identifier.objects.filter(customer__isnull=False):
        assert row.customer_id is not None
        groups.setdefault(row.customer_id, set()).add(str(row))
    return {frozenset(names) for names in groups.values()}


def alice(web: Source, app: Source, store: Source) -> list[tuple[Source, dict[str, Any]]]:
    """Alice is three strangers: a browser, a phone and a loyalty card, joined by an e-mail."""
    return [
        (web, track("w1", "Product Viewed", 1, anonymousId="ck-a", properties={"sku": "T1", "price": 4})),
        (web, identify("w2", 2, anonymousId="ck-a", userId="alice", traits={"email": "alice@mail.example", "name": "A"})),
        (app, identify("a1", 3, anonymousId="dev-a", userId="alice", traits={"name": "Alice Adams"})),
        (app, track("a2", "Product Added", 4, anonymousId="dev-a", properties={"sku": "T1", "price": 4})),
        (store, track("s1", "Order Completed", 5, context=external(loyalty_card="L1", email="alice@mail.example"),
                      properties={"products": [{"sku": "T1", "price": 4, "quantity": 2}]})),
        (store, track("s2", "Order Refunded", 6, context=external(loyalty_card="L1"),
                      properties={"products": [{"sku": "T1", "price": 4, "quantity": 1}]})),
    ]  # fmt: skip


def test_three_strangers_become_one_customer(
    web: Source, app: Source, store: Source, send: Sent
) -> None:
    for source, message in alice(web, app, store):
        send(source, message)
    drain()
    assert members() == {
        frozenset(
            {
                "cookie:ck-a",
                "user_id:alice",
                "email:alice@mail.example",
                "device_id:dev-a",
                "loyalty_card:L1",
            }
        )
    }
    profile = Profile.objects.get(customer=customer_of("loyalty_card", "L1"))
    assert profile.traits["name"]["value"] == "Alice Adams"
    assert (profile.traits["name"]["source"], profile.traits["name"]["channel"]) == (
        "phone-app",
        "app",
    )
    assert profile.counters == {
        "web": {"viewed": {"events": 1, "quantity": "1.0000", "amount": "4.0000"}},
        "app": {"added": {"events": 1, "quantity": "1.0000", "amount": "4.0000"}},
        "store": {
            "purchased": {"events": 1, "quantity": "2.0000", "amount": "8.0000"},
            "returned": {"events": 1, "quantity": "1.0000", "amount": "4.0000"},
        },
    }


@pytest.mark.parametrize("seed", range(6))
def test_any_order_and_batching_give_the_same_customers_ids_and_profiles(
    web: Source, app: Source, store: Source, send: Sent, seed: int
) -> None:
    dice = random.Random(seed)
    messages = alice(web, app, store)
    dice.shuffle(messages)
    for number, (source, message) in enumerate(messages):
        send(source, message, minutes=number)
        if dice.random() < 0.5:
            drain()
    drain()
    anchor = customer_of("email", "alice@mail.example")
    assert Identifier.objects.get(id=anchor.id).value == "ck-a"
    profile = Profile.objects.get(customer=anchor)
    assert profile.traits["name"]["value"] == "Alice Adams"
    assert {c: sorted(v) for c, v in profile.counters.items()} == {
        "app": ["added"], "store": ["purchased", "returned"], "web": ["viewed"],
    }  # fmt: skip
    assert sound_profiles()


def test_a_merge_redirects_the_absorbed_id_to_the_survivor(web: Source, send: Sent) -> None:
    send(web, track("m1", "Product Viewed", 1, anonymousId="ck-a"))
    send(web, track("m2", "Product Viewed", 2, userId="alice"))
    drain()
    old, new = customer_of("user_id", "alice"), customer_of("cookie", "ck-a")
    assert old != new
    send(web, identify("m3", 3, anonymousId="ck-a", userId="alice"))
    drain()
    assert customer_of("user_id", "alice") == new
    assert by_public_id(old.public_id) == new
    assert Profile.objects.get(customer=old).absorbed
    change = Decision.objects.get(what="merged")
    assert (change.old_customer, change.new_customer, change.reason) == (old.id, new.id, "event")


def test_bob_shares_a_till_that_joins_nobody(store: Source, send: Sent) -> None:
    """Four cards at one till: it turns shared, lets go of whom it had joined, and keeps its events."""
    for number in range(3):
        send(store, track(f"m{number}", "Order Completed", number, anonymousId="till-1",
                          context=external(loyalty_card=f"L{number}"), properties={"sku": "T1", "price": 1}))  # fmt: skip
    send(
        store,
        track(
            "m8", "Order Completed", 8, anonymousId="till-1", properties={"sku": "T2", "price": 5}
        ),
    )
    drain()
    assert len(members()) == 1
    send(store, track("m9", "Order Completed", 9, anonymousId="till-1",
                      context=external(loyalty_card="bob"), properties={"sku": "T1", "price": 1}))  # fmt: skip
    drain()
    assert len(members()) == 5
    assert Identifier.objects.get(shared=True).value == "till-1"
    bob = Profile.objects.get(customer=customer_of("loyalty_card", "bob"))
    assert bob.counters["store"]["purchased"]["amount"] == "1.0000"
    till = Profile.objects.get(customer=customer_of("cookie", "till-1"))
    assert till.counters["store"]["purchased"]["amount"] == "5.0000"
    assert sound_profiles()


def test_the_subject_is_found_anew_when_an_identifier_turns_shared(
    store: Source, send: Sent
) -> None:
    """A desk's e-mail outranks a phone until it is seen to be shared; then the phone speaks."""
    for number in range(3):
        context = external(email="desk@shop.example", phone=f"+1206505741{number}")
        send(
            store,
            track(
                f"p{number}",
                "Order Completed",
                number,
                context=context,
                properties={"sku": "T", "price": 2},
            ),
        )
    drain()
    assert set(Event.objects.values_list("subject__kind", flat=True)) == {"email"}
    for number in range(3):
        context = external(email="desk@shop.example", loyalty_card=f"L{number}")
        send(
            store,
            track(
                f"c{number}",
                "Order Completed",
                10 + number,
                context=context,
                properties={"sku": "T", "price": 2},
            ),
        )
    drain()
    assert set(
        Event.objects.filter(message_id__startswith="p").values_list("subject__kind", flat=True)
    ) == {"phone"}
    assert sound_profiles()


def test_the_database_equals_the_pure_function_on_adversarial_streams(
    web: Source, send: Sent
) -> None:
    dice = random.Random(11)
    kinds = {"user_id": 6, "loyalty_card": 8, "email": 8, "cookie": 10, "crm_id": 4}
    for number in range(150):
        chosen = dice.sample(list(kinds), dice.choice((1, 2, 2, 3)))
        ids = {
            k: f"{k[:2]}{dice.randrange(kinds[k])}" + ("@x.example" if k == "email" else "")
            for k in chosen
        }
        send(
            web,
            track(f"m{number}", "Page", dice.randrange(1000), context=external(**ids)),
            minutes=number,
        )
        if dice.random() < 0.3:
            drain()
    drain()
    links = [
        Seen(Key(x.a.kind, x.a.value), Key(x.b.kind, x.b.value), x.first_at, x.weight)
        for x in Link.objects.select_related("a", "b")
    ]
    links += [
        Seen(Key(i.kind, i.value), Key(i.kind, i.value), i.first_seen_at)
        for i in Identifier.objects.all()
    ]
    expected = partition(links, [], DEFAULT_RULES)
    stored = {
        Key(i.kind, i.value): i.customer_id
        for i in Identifier.objects.filter(customer__isnull=False)
    }
    ids = {Key(i.kind, i.value): i.id for i in Identifier.objects.all()}
    assert stored == {key: ids[anchor] for key, anchor in expected.anchor.items()}
    assert {Key(i.kind, i.value) for i in Identifier.objects.filter(shared=True)} == expected.shared


def test_why_are_they_one(web: Source, app: Source, store: Source, send: Sent) -> None:
    for source, message in alice(web, app, store):
        send(source, message)
    drain()
    card = Identifier.objects.get(kind="loyalty_card")
    phone = Identifier.objects.get(kind="device_id")
    steps = explain.path(card.id, phone.id)
    assert [(s.a.kind, s.b.kind, s.event.message_id if s.event else "") for s in steps] == [
        ("loyalty_card", "email", "s1"), ("email", "user_id", "w2"), ("user_id", "device_id", "a1"),
    ]  # fmt: skip


def test_a_message_worked_twice_changes_nothing(web: Source, send: Sent) -> None:
    send(
        web, track("m1", "Product Viewed", anonymousId="ck-a", properties={"sku": "T1", "price": 3})
    )
    payload = OutboxMessage.objects.get().payload
    drain()
    before = Profile.objects.values_list("version", "counters").get()
    OutboxMessage.objects.create(topic=Topic.EVENTS, payload=payload)
    drain()
    assert Profile.objects.values_list("version", "counters").get() == before


def test_a_failing_message_is_put_back_and_seen_and_stops_nobody(web: Source, send: Sent) -> None:
    """The poison is claimed together with innocents, and one of two items of its own message."""
    send(web, track("m1", "Product Viewed", anonymousId="ck-a"))
    good = OutboxMessage.objects.get().payload["events"]
    OutboxMessage.objects.create(topic=Topic.EVENTS, payload={"events": ["poison", *good]})
    send(web, track("m2", "Product Viewed", anonymousId="ck-b"))
    assert pipeline.process_events() == 2
    assert Event.objects.filter(resolved_at=None).count() == 0
    pipeline.process_events()
    row = OutboxMessage.objects.get(topic=Topic.EVENTS)
    assert (row.payload, row.attempts, row.parked_at) == ({"events": ["poison"]}, 1, None)
    assert "poison" in row.last_error
    for _ in range(outbox.MOST_ATTEMPTS):
        OutboxMessage.objects.update(available_at=row.created_at)
        pipeline.process_events()
    row.refresh_from_db()
    assert row.parked_at is not None
    assert (outbox.waiting(Topic.EVENTS), outbox.parked()) == (0, 1)
    assert outbox.try_again([row.pk]) == 1
    assert outbox.waiting(Topic.EVENTS) == 1


@pytest.mark.parametrize(
    "message",
    [
        identify("m", userId="u", traits={"k" * 100: 1, "k" * 99: 2}),
        track("m", "x", context=external(social_handle="\u0390" * 100)),
        track("m", "Order Completed", userId="u", properties={
            "products": [{"sku": "T", "price": 9e8, "quantity": 9e5}] * 400}),
        track("m", "Order Completed", userId="u", properties={"sku": "T" * 300, "price": "1e400"}),
        identify("m", userId="u" * 320, traits={"x" * 101: 1}),
    ],
)  # fmt: skip
def test_whatever_is_accepted_can_be_worked(
    web: Source, send: Sent, message: dict[str, Any]
) -> None:
    send(web, message)
    drain()
    assert not OutboxMessage.objects.filter(topic=Topic.EVENTS).exists()
    assert sound_profiles()


@pytest.mark.django_db(transaction=True)
def test_the_outbox_refuses_to_be_used_outside_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="needs the transaction"):
        outbox.add(Topic.GRAPH, {})


def test_profiles_rebuilt_equal_profiles_kept(
    web: Source, app: Source, store: Source, send: Sent
) -> None:
    for source, message in alice(web, app, store):
        send(source, message)
        drain()
    before = list(Profile.objects.order_by("pk").values_list("customer_id", "traits", "counters"))
    pipeline.rebuild_profiles(lambda name, n: None)
    assert (
        list(Profile.objects.order_by("pk").values_list("customer_id", "traits", "counters"))
        == before
    )


def test_the_same_message_through_two_sources_has_one_winner(
    web: Source, app: Source, send: Sent
) -> None:
    for first, second in ((web, app), (app, web)):
        tag = first.name
        for source in (first, second):
            send(source, identify(f"same-{tag}", userId=f"u-{tag}", traits={"from": source.name}))
            drain()
        assert (
            Profile.objects.get(customer=customer_of("user_id", f"u-{tag}")).traits["from"]["value"]
            == "phone-app"
        )
    assert sound_profiles()


def test_whole_numbers_with_a_point_are_ids_and_other_things_are_not(
    web: Source, send: Sent
) -> None:
    outcomes = send(
        web,
        track("m1", "x", userId=123.0),
        track("m2", "x", userId=1.5),
        track("m3", "x", userId=True),
    )
    assert [(o.status, o.reason) for o in outcomes] == [
        ("accepted", ""), ("quarantined", "not_text"), ("quarantined", "not_text"),
    ]  # fmt: skip
    drain()
    assert str(Identifier.objects.get()) == "user_id:123"


def test_a_difference_is_found(web: Source, send: Sent) -> None:
    send(web, track("m1", "Product Viewed", anonymousId="ck-a", properties={"sku": "T1"}))
    drain()
    Profile.objects.update(counters={})
    assert pipeline.check_profiles()["profiles"][0] == 1
