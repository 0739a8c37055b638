"""Several workers at once on an adversarial stream: the database still equals the pure function."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from django.db import connection

from cdp import changing, outbox, pipeline
from cdp.domain.identifiers import Key
from cdp.domain.partition import Link as Seen
from cdp.domain.partition import partition
from cdp.domain.rules import DEFAULT_RULES
from cdp.identity.locks import lock_identifiers
from cdp.models import Counter, Event, Identifier, Link, Topic
from cdp.stages.register import register_source
from tests.conftest import Sent, external, sound_profiles, track

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = {"user_id": 6, "loyalty_card": 9, "email": 9, "cookie": 12, "crm_id": 4, "phone": 5}


def stream(seed: int, count: int) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    events = []
    for n in range(count):
        ids: dict[str, str] = {}
        for kind in dice.sample(list(KINDS), dice.choice((1, 2, 2, 3))):
            number = dice.randrange(KINDS[kind])
            ids[kind] = {"email": f"p{number}@mail.example", "phone": f"+1206505741{number}"}.get(
                kind, f"{kind[:2]}-{number}"
            )
        sku = {"sku": f"T{dice.randrange(5)}", "price": 2}
        events.append(
            track(
                f"m{n}",
                "Product Viewed",
                dice.randrange(5000),
                context=external(**ids),
                properties=sku,
            )
        )
    return events


def stored_equals_pure() -> bool:
    named = {row.id: Key(row.kind, row.value) for row in Identifier.objects.all()}
    links = [Seen(named[x.a_id], named[x.b_id], x.first_at, x.weight) for x in Link.objects.all()]
    links += [
        Seen(named[row.id], named[row.id], row.first_seen_at) for row in Identifier.objects.all()
    ]
    expected = partition(links, [], DEFAULT_RULES)
    stored = {named[row.id]: named[row.customer_id or 0] for row in Identifier.objects.all()}
    shared = {named[row.id] for row in Identifier.objects.filter(shared=True)}
    return stored == dict(expected.anchor) and shared == set(expected.shared)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_side_by_side_leave_what_the_pure_function_says(workers: int, send: Sent) -> None:
    source, _ = register_source("web-shop", "web")
    events = stream(workers, 240)
    for start in range(0, len(events), 4):
        send(source, *events[start : start + 4], minutes=10_000)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while outbox.waiting(Topic.EVENTS):
                pipeline.process_events(limit=2)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert not Event.objects.filter(resolved_at=None).exists()
    assert stored_equals_pure()
    assert {name: n for name, (n, _) in changing.check_identity(lambda n, c: None).items()} == {
        "links": 0, "customers": 0, "logins": 0, "matches": 0, "events": 0
    }  # fmt: skip
    assert sound_profiles()


def test_a_recount_and_a_new_event_do_not_count_twice(
    send: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """k turns shared and its events fall to x, which is counted anew while another event of x comes."""
    source, _ = register_source("store-tills", "store")
    view = {"sku": "T", "price": 1}
    k = "desk@shop.example"
    send(
        source,
        track("a", "Product Viewed", 0, context=external(cookie="x", email=k), properties=view),
    )
    for n in range(2):
        send(
            source,
            track(
                f"c{n}",
                "Product Viewed",
                n + 1,
                context=external(email=k, loyalty_card=f"L{n}"),
                properties=view,
            ),
        )
    while pipeline.process_events():
        pass
    send(
        source,
        track(
            "flip",
            "Product Viewed",
            8,
            context=external(email=k, loyalty_card="L9"),
            properties=view,
        ),
    )
    send(source, track("b", "Product Viewed", 9, context=external(cookie="x"), properties=view))
    begun = threading.Event()

    def second() -> None:
        try:
            assert begun.wait(20)
            pipeline.process_events(limit=1)
        finally:
            connection.close()

    def recount_is_near(ids: Any) -> None:
        lock_identifiers(ids)
        begun.set()
        threading.Event().wait(0.4)

    from cdp.stages import resolve as resolving

    monkeypatch.setattr(resolving, "lock_identifiers", recount_is_near)
    other = threading.Thread(target=second)
    other.start()
    pipeline.process_events(limit=1)
    other.join(30)
    x = Identifier.objects.get(value="x")
    assert Counter.objects.get(identifier=x).events == 2
    assert sound_profiles()
