"""Where changed rules meet people's words, suppressions, expiry, old ids and broken work."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.contrib.auth import get_user_model
from django.db import DataError, OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone

from cdp import changing, deciding, pipeline
from cdp.domain.identifiers import Key
from cdp.domain.rules import DEFAULT_RULES
from cdp.domain.rules_file import read, write
from cdp.errors import CDPError
from cdp.identity.locks import lock_identifiers
from cdp.models import Assertion, Decision, Identifier, Link, RuleSet, Source, Suppression, Verdict
from cdp.selectors import explain
from cdp.selectors.customers import by_public_id
from cdp.stages import change_rules
from tests.cdp.stages.test_change_rules import Change, document, draft, quiet
from tests.conftest import Sent, external, identify, track

pytestmark = pytest.mark.django_db(transaction=True)
ALICE, BOB, CARL = (Key("user_id", name) for name in ("alice", "bob", "carl"))
MUST, CANNOT = Verdict.MUST_LINK, Verdict.CANNOT_LINK


def resolve() -> None:
    while pipeline.process_events():
        pass


def change(what: Change) -> RuleSet:
    number = draft(what)
    changing.simulate_rules(number, quiet)
    row = changing.apply_rules(number, "dana", quiet)
    assert row.outcome is not None and row.simulation is not None
    assert row.outcome["digest"] == row.simulation["digest"]
    return row


def block_alice(d: dict[str, Any]) -> None:
    d["kinds"]["user_id"]["blocked"] = ["alice"]


def sound() -> bool:
    return not any(n for n, _ in changing.check_identity(quiet).values())


def groups() -> list[list[str]]:
    found: dict[int, list[str]] = {}
    for row in Identifier.objects.filter(customer__isnull=False).order_by("kind", "value"):
        found.setdefault(row.customer_id or 0, []).append(str(row))
    return sorted(found.values())


@pytest.fixture
def three(web: Source, send: Sent) -> None:
    for n, name in enumerate(("alice", "bob", "carl")):
        send(web, identify(f"m{n}", n, userId=name, anonymousId=f"ck-{name}"))
    resolve()


def test_words_on_somebody_who_vanishes_keep_nobody_together(three: None) -> None:
    deciding.assert_link(ALICE, BOB, MUST, "ops", "x")
    deciding.assert_link(ALICE, CARL, MUST, "ops", "x")
    change(block_alice)
    assert groups() == [["cookie:ck-alice"], ["cookie:ck-bob", "user_id:bob"], ["cookie:ck-carl", "user_id:carl"]]  # fmt: skip
    assert sound()
    change(lambda d: None)
    assert len(groups()) == 1 and sound()


def test_a_cannot_link_counts_again_when_its_end_returns(three: None) -> None:
    deciding.assert_link(ALICE, Key("cookie", "ck-alice"), CANNOT, "ops", "x")
    change(block_alice)
    change(lambda d: None)
    assert ["cookie:ck-alice"] in groups() and sound()


def test_a_retraction_brings_nobody_back_whom_the_rules_took_out(three: None) -> None:
    word = deciding.assert_link(ALICE, BOB, MUST, "ops", "x")
    change(block_alice)
    deciding.retract_assertion(word.pk, "ops", "y")
    assert Identifier.objects.get(value="alice").customer is None
    assert sound()


def test_the_id_of_a_vanished_anchor_leads_to_its_people(web: Source, send: Sent) -> None:
    send(web, identify("m1", 1, userId="alice"))
    send(web, identify("m2", 2, userId="alice", anonymousId="ck"))
    resolve()
    old = Identifier.objects.get(value="ck").customer
    assert old is not None
    change(block_alice)
    now = Identifier.objects.get(value="ck").customer
    assert now is not None and now != old
    assert by_public_id(old.public_id) == now
    gone = Decision.objects.get(what="gone")
    assert (str(gone.a), gone.old_customer) == ("user_id:alice", old.pk)
    change(lambda d: None)
    assert Identifier.objects.get(value="ck").customer == old == by_public_id(now.public_id)


def test_rules_never_undo_a_suppression(web: Source, send: Sent) -> None:
    Suppression.objects.create(kind="social_handle", value="bob", reason="asked", actor="ops")
    Suppression.objects.create(kind="email", value="eve@mail.example", reason="asked", actor="ops")
    change(lambda d: (
        d["kinds"]["social_handle"].update(normaliser="text"),
        d["kinds"]["email"].update(blocked=["eve@mail.example"]),
    ))  # fmt: skip
    one = send(web, track("m1", "X", 1, context=external(social_handle="Bob")))
    two = send(web, identify("m2", 2, anonymousId="c1", traits={"email": "Eve@mail.example"}))
    assert [one[0].status, two[0].status] == ["suppressed", "suppressed"]


def test_an_undo_after_ids_changed_hands_is_judged_by_who_is_together(
    web: Source, send: Sent
) -> None:
    """Merged; a late event makes the absorbed one the anchor; then both are seen together."""
    send(web, identify("m1", 10, userId="alice"))
    send(web, identify("m2", 20, anonymousId="ckb"))
    resolve()
    ids = [str(Identifier.objects.get(value=v).customer) for v in ("alice", "ckb")]
    word = deciding.merge_customers(*ids, "ops", "x")
    send(web, track("m3", "Page", 1, anonymousId="ckb"))
    resolve()
    exact = deciding.rehearse(lambda: deciding.retract_assertion(word.pk, "ops", "y"))
    assert exact.surprises == []
    send(web, identify("m4", 30, userId="alice", anonymousId="ckb"))
    resolve()
    found = deciding.rehearse(lambda: deciding.retract_assertion(word.pk, "ops", "y"))
    assert len(found.surprises) == 1 and "stays with whom it was merged" in found.surprises[0]


def test_two_of_the_shops_own_seen_together_are_judged_as_such(store: Source, send: Sent) -> None:
    change(lambda d: (
        d["kinds"]["cookie"].update(shop_owned=["till-.*"]),
        d["kinds"]["device_id"].update(shop_owned=["kiosk-.*"]),
    ))  # fmt: skip
    for n, ids in enumerate(({"cookie": "till-1"}, {"device_id": "kiosk-1"}, {"cookie": "till-1", "device_id": "kiosk-1"})):  # fmt: skip
        send(store, track(f"t{n}", "Order Completed", n, context=external(**ids)))
        resolve()
    assert Link.objects.get().verdict == "shop_owned"
    assert sound()


def test_a_late_sighting_of_two_shared_ones_is_expired_at_once(web: Source, send: Sent) -> None:
    change(lambda d: (
        d["kinds"]["cookie"].update(expires_after_days=30, max_neighbours=1),
        d["kinds"]["email"].update(max_neighbours=1),
    ))  # fmt: skip
    now = timezone.now()

    def seen(message: str, days: int, **ids: str) -> None:
        at = (now - timedelta(days=days)).isoformat()
        event = {"type": "track", "event": "X", "messageId": message, "timestamp": at, "context": external(**ids)}  # fmt: skip
        send(web, event, minutes=60 * 24 * 365)
        resolve()

    for n in range(2):
        seen(f"a{n}", 1, cookie="till", user_id=f"u{n}")
        seen(f"b{n}", 1, email="desk@mail.example", user_id=f"u{n}")
    seen("c1", 100, cookie="till", email="desk@mail.example")
    pair = Link.objects.get(a__kind__in=("cookie", "email"), b__kind__in=("cookie", "email"))
    assert pair.verdict == "expired" and sound()
    seen("c2", 2, cookie="till", email="desk@mail.example")
    pair.refresh_from_db()
    assert pair.verdict == "shared" and sound()


def test_an_older_draft_does_not_turn_the_clock_back(web: Source, send: Sent) -> None:
    send(web, identify("m1", 1, userId="alice", anonymousId="ck"))
    resolve()
    expiring: Change = lambda d: d["kinds"]["cookie"].update(expires_after_days=30)  # noqa: E731
    old = draft(expiring)
    changing.simulate_rules(old, quiet)
    change(expiring)
    with pytest.raises(CDPError, match="links have expired since"):
        changing.apply_rules(old, "dana", quiet)


def test_links_from_before_verdicts_are_judged_when_seen_again(web: Source, send: Sent) -> None:
    send(web, identify("m1", 1, userId="alice", anonymousId="ck"))
    resolve()
    Link.objects.update(verdict="")
    send(web, identify("m2", 2, userId="alice", anonymousId="ck"))
    resolve()
    assert Link.objects.get().verdict == "linked"


def test_a_word_on_the_way_is_part_of_the_explanation(three: None, web: Source, send: Sent) -> None:
    send(web, identify("m9", 9, userId="bob", traits={"email": "b@mail.example"}))
    resolve()
    mail = Key("email", "b@mail.example")
    deciding.assert_link(BOB, mail, CANNOT, "ops", "his sister's")
    deciding.assert_link(ALICE, BOB, MUST, "ops", "a nickname")
    found = explain.explain(ALICE, mail)
    assert not found.one
    assert str(found.steps[0]).split(": ", 1)[1] == "ops asserted it: a nickname"
    assert found.steps[-1].verdict == "cannot_link"


def test_broken_work_does_not_hold_up_the_next(
    three: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = draft(block_alice), draft(block_alice)
    for number in (first, second):
        changing.ask_rules(number, "simulate", "eve")
    real = change_rules.simulate_rules

    def broken(number: int, advance: Any) -> Any:
        if number == first:
            raise DataError("boom")
        return real(number, advance)

    monkeypatch.setattr(change_rules, "simulate_rules", broken)
    assert [changing.process_rules(), changing.process_rules()] == [1, 1]
    assert RuleSet.objects.get(pk=second).simulation is not None
    row = RuleSet.objects.get(pk=first)
    assert (row.doing, row.error) == ("", "internal: DataError: boom")


def test_a_rule_set_at_work_is_busy_and_keeps_nobody_waiting(three: None) -> None:
    number = draft(block_alice)
    held, go = threading.Event(), threading.Event()

    def at_work(name: str, count: int) -> None:
        held.set()
        go.wait(20)

    def work() -> None:
        try:
            changing.simulate_rules(number, at_work)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    assert held.wait(20)
    started = time.monotonic()
    with pytest.raises(CDPError, match="busy"):
        changing.ask_rules(number, "simulate", "eve")
    assert time.monotonic() - started < 5
    go.set()
    worker.join()


def test_a_decision_that_meets_a_resolver_in_a_deadlock_is_taken_again(
    three: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver holds bob and then wants alice's lock; the merge holds alice and then wants bob."""
    rows = {row.value: row for row in Identifier.objects.all()}
    mine, theirs = threading.Event(), threading.Event()

    def resolver() -> None:
        try:
            with transaction.atomic():
                lock_identifiers([rows["bob"].pk])
                theirs.set()
                assert mine.wait(20)
                try:
                    lock_identifiers([rows["alice"].pk])
                except OperationalError:
                    transaction.set_rollback(True)
        finally:
            connection.close()

    from cdp.stages import assert_link as stage

    real, calls = stage.lock_components, []

    def locking(ids: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            lock_identifiers([rows["alice"].pk])
            mine.set()
            assert theirs.wait(20)
        return real(ids)

    monkeypatch.setattr(stage, "lock_components", locking)
    other = threading.Thread(target=resolver)
    other.start()
    assert theirs.wait(20)
    word = deciding.assert_link(ALICE, BOB, MUST, "ops", "x")
    other.join()
    assert Assertion.objects.get().pk == word.pk


def test_a_link_in_the_admin_changes_nothing(three: None) -> None:
    number = draft(block_alice)
    changing.simulate_rules(number, quiet)
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.create_superuser("root", "r@x.example", "pw"))
    for do in ("apply", "simulate", "discard"):
        page = client.get(f"/admin/cdp/ruleset/{number}/{do}", follow=True)
        assert page.status_code == 200
        assert client.post(page.request["PATH_INFO"]).status_code == 403
    row = RuleSet.objects.get(pk=number)
    assert (row.doing, row.status) == ("", "draft")


@pytest.mark.parametrize(
    "text",
    [
        "a: 2024-13-45", "[" * 5000, "a: &a [x]\nb: [*a, *a]",
        write(DEFAULT_RULES).replace("blocked:\n", 'blocked:\n- "a\\0b"\n', 1),
        write(DEFAULT_RULES).replace("blocked:\n", 'blocked:\n- "\\ud800"\n', 1),
        "priority: " + "9" * 5000,
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_rules_is_refused_plainly(text: str) -> None:
    with pytest.raises(CDPError, match="bad_rules"):
        read(text)


def test_a_pattern_takes_linear_time_on_what_strangers_send() -> None:
    rules = document(lambda d: d["kinds"]["cookie"].update(patterns=["(a+)+$"]))
    parsed = change_rules.to_rules(rules)
    started = time.monotonic()
    assert not parsed.blocks("cookie", "a" * 300 + "!")
    assert time.monotonic() - started < 1
    assert yaml.safe_load(write(parsed))["kinds"]["cookie"]["patterns"] == ["(a+)+$"]
