"""Rules drafted, simulated, applied and taken back, on real evidence in the stores."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.utils import timezone

from cdp import changing, pipeline
from cdp.domain.identifiers import Key
from cdp.domain.rules import DEFAULT_RULES
from cdp.domain.rules_file import write
from cdp.errors import CDPError
from cdp.models import Customer, Decision, Event, Identifier, Link, RuleSet, Source
from cdp.selectors import explain
from cdp.selectors.customers import by_public_id
from cdp.stages.register import register_source
from tests.conftest import Sent, external, graph_contents, identify, sound_profiles, track

pytestmark = [pytest.mark.graph, pytest.mark.django_db(transaction=True)]
Change = Callable[[dict[str, Any]], object]


def quiet(name: str, count: int) -> None:
    """No progress."""


def document(change: Change) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(write(DEFAULT_RULES))
    change(found)
    return found


def draft(change: Change) -> int:
    return changing.draft_rules(document(change), "dana", "a test").pk


def state() -> dict[str, Any]:
    """Everything about identity, in words that do not depend on row numbers."""
    named = {row.id: str(row) for row in Identifier.objects.all()}
    ids = Identifier.objects.filter(customer__isnull=False).select_related("customer")
    events = Event.objects.order_by("message_id").values_list(
        "message_id", "subject_id", "identifiers"
    )
    return {
        "customers": {str(row): str(row.customer) for row in ids},
        "shared": {str(row) for row in ids if row.shared},
        "links": {(*sorted((named[x.a_id], named[x.b_id])), x.count, x.verdict) for x in Link.objects.all()},
        "events": [(m, named.get(s or 0), sorted(named[i] for i in ids)) for m, s, ids in events],
        "graph": {
            "customers": {tuple(sorted(named[i] for i in c)) for c in graph_contents()["customers"]},
            "edges": sorted((v, named[i], sku, line) for v, i, sku, _, line, _, _ in graph_contents()["edges"]),
        },
    }  # fmt: skip


def redirects_end() -> bool:
    """Does every customer id ever given lead to somebody living, without going round in circles?"""
    for row in Customer.objects.all():
        passed = [row.id]
        while Identifier.objects.get(pk=passed[-1]).customer_id is None:
            following = Customer.objects.get(pk=passed[-1]).successor
            if following is None:
                break  # nobody of it is left in any event
            if following in passed:
                return False
            passed.append(following)
        found = by_public_id(row.public_id)
        end = Identifier.objects.get(pk=passed[-1]).customer
        if end is not None and (found != end or not end.identifiers.exists()):
            return False
    return True


def sound() -> bool:
    identity = {name: n for name, (n, _) in changing.check_identity(quiet).items()}
    graph = sum(n for n, _ in pipeline.check_graph().values())
    return (
        identity == {"links": 0, "customers": 0, "events": 0, "logins": 0, "matches": 0}
        and not graph
        and sound_profiles()
    )


@pytest.fixture
def shop(web: Source, store: Source, send: Sent) -> None:
    """Alice with two browsers; a till with three cards; a guest account that many use."""
    view = {"sku": "T", "price": 2}
    send(web, identify("a1", 0, userId="alice", anonymousId="ck-a"))
    send(
        web,
        identify(
            "a2", 5, userId="alice", anonymousId="ck-b", traits={"email": "alice@mail.example"}
        ),
    )
    send(web, track("a3", "Product Viewed", 6, anonymousId="ck-b", properties=view))
    for n in range(3):
        ids = external(cookie="till-1", loyalty_card=f"L{n}")
        send(store, track(f"t{n}", "Order Completed", 10 + n, context=ids, properties=view))
    for n in range(2):
        send(
            web,
            track(
                f"g{n}",
                "Product Viewed",
                20 + n,
                userId="walk-in",
                anonymousId=f"ck-g{n}",
                properties=view,
            ),
        )
    pipeline.drain()  # fmt: skip


CHANGES: dict[str, Change] = {
    "a limit": lambda d: d["kinds"]["cookie"].update(max_neighbours=2),
    "a blocked value": lambda d: d["blocked"].append("walk-in"),
    "a pattern": lambda d: d["kinds"]["cookie"].update(patterns=["ck-.*"]),
    "the shop's own": lambda d: d["kinds"]["cookie"].update(shop_owned=["till-.*"]),
    "another order": lambda d: (d["kinds"]["cookie"].update(priority=1), d["kinds"]["user_id"].update(priority=19)),
    "unblocking": lambda d: d["blocked"].remove("guest"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_applying_does_what_was_simulated_and_the_way_back_restores(
    name: str, graph: str, shop: None, web: Source, send: Sent
) -> None:
    send(web, track("n1", "Product Viewed", 30, userId="guest", anonymousId="ck-n", properties={"sku": "T", "price": 1}))  # fmt: skip
    pipeline.drain()
    before = state()
    number = draft(CHANGES[name])
    foretold = changing.simulate_rules(number, quiet).simulation
    assert state() == before
    row = changing.apply_rules(number, "dana", quiet)
    pipeline.drain()
    assert row.outcome is not None and foretold is not None
    figures = lambda report: {k: v for k, v in report.items() if k != "samples"}  # noqa: E731
    assert figures(row.outcome) == figures(foretold)
    assert sound()
    assert state() != before
    back = draft(lambda d: None)
    changing.simulate_rules(back, quiet)
    changing.apply_rules(back, "dana", quiet)
    pipeline.drain()
    assert sound()
    assert state() == before


def test_a_stricter_limit_parts_whom_a_till_had_joined(graph: str, shop: None) -> None:
    number = draft(CHANGES["a limit"])
    report = changing.simulate_rules(number, quiet).simulation
    assert report is not None
    assert (report["split"], report["merged"], report["turned_shared"]) == (1, 0, 1)
    sample = report["samples"]["split"][0]
    assert sample["path"] == ["cookie:till-1", "loyalty_card:L0"]
    assert sample["now_refused"] == ["cookie:till-1 – loyalty_card:L0: shared"]
    changing.apply_rules(number, "dana", quiet)
    found = explain.explain(Key("loyalty_card", "L0"), Key("loyalty_card", "L1"))
    assert not found.one
    assert "shared by too many people" in found.reason
    assert [step.verdict for step in found.steps] == ["shared", "shared"]


def test_a_blocked_account_is_nobody_and_its_visitors_are_strangers_again(
    graph: str, shop: None
) -> None:
    number = draft(CHANGES["a blocked value"])
    changing.simulate_rules(number, quiet)
    changing.apply_rules(number, "dana", quiet)
    pipeline.drain()
    gone = Identifier.objects.get(value="walk-in")
    assert gone.customer is None
    visitors = Identifier.objects.filter(value__startswith="ck-g")
    assert len({row.customer_id for row in visitors}) == 2
    assert sound()


def test_events_accepted_under_older_rules_are_read_by_those_that_hold(
    shop: None, web: Source, send: Sent
) -> None:
    send(web, track("late", "Product Viewed", 40, userId="walk-in", anonymousId="ck-z", properties={"sku": "T"}))  # fmt: skip
    number = draft(CHANGES["a blocked value"])
    changing.simulate_rules(number, quiet)
    changing.apply_rules(number, "dana", quiet)
    while pipeline.process_events():
        pass
    late = Event.objects.get(message_id="late")
    assert str(late.subject) == "cookie:ck-z"
    assert late.parsed["refused"] == [["user_id", "walk-in", "blocked"]]


def test_a_link_expires_by_a_sweep_and_returns_with_new_evidence(
    graph: str, web: Source, send: Sent
) -> None:
    send(web, identify("a1", 0, userId="alice", anonymousId="ck-a"))
    pipeline.drain()
    number = draft(lambda d: d["kinds"]["cookie"].update(expires_after_days=100_000))
    changing.simulate_rules(number, quiet)
    changing.apply_rules(number, "dana", quiet)
    assert len(set(state()["customers"].values())) == 1
    short = draft(lambda d: d["kinds"]["cookie"].update(expires_after_days=1))
    RuleSet.objects.filter(pk=short).update(simulation={"digest": ""})
    changing.apply_rules(short, "dana", quiet)
    assert changing.expire_links(quiet)
    pipeline.drain()
    assert Link.objects.get().verdict == "expired"
    assert len(set(state()["customers"].values())) == 2
    today = timezone.now().isoformat()
    send(web, identify("a2", 0, userId="alice", anonymousId="ck-a", timestamp=today), minutes=60 * 24 * 365)  # fmt: skip
    pipeline.drain()
    assert Link.objects.get().verdict == "linked"
    assert len(set(state()["customers"].values())) == 1
    assert sound()


def test_every_decision_is_in_the_ledger_with_its_evidence(shop: None) -> None:
    event = Event.objects.get(message_id="a1")
    linked = Decision.objects.get(what="linked", event=event.pk)
    assert {str(linked.a), str(linked.b)} == {"user_id:alice", "cookie:ck-a"}
    assert (linked.actor, linked.rules_version) == ("resolver", "built-in")
    number = draft(CHANGES["a limit"])
    changing.simulate_rules(number, quiet)
    changing.apply_rules(number, "dana", quiet)
    said = Decision.objects.filter(rules_version=str(number))
    assert sorted(said.values_list("what", "reason")) == [
        ("refused", "shared"), ("refused", "shared"), ("refused", "shared"),
        ("rules", f"built-in → {number}: a test"), ("shared", f"rules {number}"),
        ("split", f"rules {number}"), ("split", f"rules {number}"), ("split", f"rules {number}"),
    ]  # fmt: skip
    assert set(said.values_list("actor", flat=True)) == {"dana"}


def test_what_cannot_be_done_is_said_and_changes_nothing(shop: None) -> None:
    number = draft(CHANGES["a limit"])
    with pytest.raises(CDPError, match="not_simulated"):
        changing.apply_rules(number, "dana", quiet)
    changing.discard_rules(number, "dana")
    for call in (
        lambda: changing.simulate_rules(number, quiet),
        lambda: changing.apply_rules(number, "dana", quiet),
        lambda: changing.discard_rules(number, "dana"),
    ):
        with pytest.raises(CDPError, match="not_a_draft"):
            call()
    with pytest.raises(CDPError, match="no_such_rules"):
        changing.simulate_rules(10**9, quiet)
    with pytest.raises(CDPError, match="missing_reason"):
        changing.draft_rules(document(lambda d: None), "dana", " ")
    assert RuleSet.objects.get().status == "discarded"
    assert not changing.expire_links(quiet)


def test_a_check_sees_what_was_changed_behind_its_back_and_a_rebuild_mends_it(
    graph: str, shop: None
) -> None:
    before = state()
    Identifier.objects.filter(value="ck-a").update(
        customer_id=Identifier.objects.get(value="L0").id
    )
    Link.objects.filter(a__value="till-1").update(verdict="shared", count=9)
    Event.objects.filter(message_id="a3").update(subject_id=Identifier.objects.get(value="ck-a").id)
    found = {name: n for name, (n, _) in changing.check_identity(quiet).items()}
    assert (found["customers"], found["events"]) == (2, 1)
    assert found["links"] > 0
    with pytest.raises(CommandError, match="differences"):
        call_command("rebuild", "identity", "--check")
    changing.rebuild_identity("dana", quiet)
    pipeline.drain()
    assert state() == before
    assert sound()


def test_random_streams_and_rules_keep_the_stores_equal_to_the_pure_function(
    graph: str, send: Sent
) -> None:
    dice = random.Random(11)
    source, _ = register_source("web-shop", "web")
    kinds = {"user_id": 5, "loyalty_card": 7, "email": 7, "cookie": 9}
    for round_ in range(4):
        events = []
        for n in range(60):
            ids = {}
            for kind in dice.sample(sorted(kinds), dice.choice((1, 2, 3))):
                number = dice.randrange(kinds[kind])
                ids[kind] = f"p{number}@mail.example" if kind == "email" else f"{kind[:2]}-{number}"
            events.append(track(f"m{round_}-{n}", "Product Viewed", dice.randrange(900), context=external(**ids), properties={"sku": "T", "price": 1}))  # fmt: skip
        send(source, *events, minutes=10_000)
        pipeline.drain()

        def change(d: dict[str, Any]) -> None:
            for kind in ("cookie", "email", "loyalty_card"):
                d["kinds"][kind]["max_neighbours"] = dice.randrange(1, 5)
            d["kinds"]["user_id"]["blocked"] = [f"us-{dice.randrange(5)}"]

        number = draft(change)
        foretold = changing.simulate_rules(number, quiet).simulation
        row = changing.apply_rules(number, "dana", quiet)
        pipeline.drain()
        assert row.outcome is not None and foretold is not None
        assert row.outcome["digest"] == foretold["digest"]
        assert sound()
        assert redirects_end()
