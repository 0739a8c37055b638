"""Acceptance: durable, deduplicated for ever, quarantined with a reason, receipted."""

from __future__ import annotations

import pytest

from cdp.models import Event, OutboxMessage, QuarantinedEvent, Receipt, Source, Suppression
from tests.conftest import Sent, identify, track


def test_valid_events_are_kept_beside_bad_ones(web: Source, send: Sent) -> None:
    outcomes = send(
        web,
        identify("m1", userId="alice", traits={"email": "alice@mail.example"}),
        track("m2", "", userId="alice"),
        {"type": "teleport", "messageId": "m3", "userId": "alice"},
        "nonsense",
        track("m5", "Tea\0", userId="alice"),
        track("m6", "Product Viewed", userId="alice", properties={"sku": "T1"}),
    )
    assert [o.status for o in outcomes] == [
        "accepted", "quarantined", "quarantined", "quarantined", "quarantined", "accepted",
    ]  # fmt: skip
    assert sorted(Event.objects.values_list("message_id", flat=True)) == ["m1", "m6"]
    reasons = QuarantinedEvent.objects.order_by("id").values_list("message_id", "reason", "field")
    assert list(reasons) == [
        ("m2", "missing_event", "event"), ("m3", "unknown_type", "type"),
        ("", "not_an_object", ""), ("m5", "nul_character", "event"),
    ]  # fmt: skip
    assert '"Tea\\u0000"' in QuarantinedEvent.objects.latest("id").raw


def test_sent_again_an_event_is_a_duplicate_for_ever(web: Source, app: Source, send: Sent) -> None:
    message = track("m1", "Product Viewed", userId="alice", properties={"sku": "T1"})
    assert [o.status for o in send(web, message)] == ["accepted"]
    assert [o.status for o in send(web, message, message)] == ["duplicate", "duplicate"]
    assert [o.status for o in send(app, message)] == ["accepted"]
    assert Event.objects.count() == 2
    receipt = Receipt.objects.get(source=web, message_id="m1")
    assert (receipt.status, receipt.duplicates) == ("accepted", 2)


def test_the_same_id_twice_in_one_request_is_one_event(web: Source, send: Sent) -> None:
    message = track("m1", "Product Viewed", userId="alice")
    assert [o.status for o in send(web, message, message)] == ["accepted", "duplicate"]
    assert Receipt.objects.get().duplicates == 1


def test_a_mended_message_is_accepted_under_its_old_id(web: Source, send: Sent) -> None:
    send(web, {"type": "page", "messageId": "m1"})
    assert Receipt.objects.get().status == "quarantined"
    assert [o.status for o in send(web, {"type": "page", "messageId": "m1", "userId": "u"})] == [
        "accepted"
    ]
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.reason) == ("accepted", "")


def test_a_refused_message_sent_again_is_quarantined_once(web: Source, send: Sent) -> None:
    for _ in range(3):
        send(web, {"type": "page", "messageId": "m1"})
    assert QuarantinedEvent.objects.count() == 1
    assert Receipt.objects.get().duplicates == 2


def test_events_of_a_suppressed_identifier_are_not_taken(web: Source, send: Sent) -> None:
    Suppression.objects.create(
        kind="email", value="charlie@mail.example", reason="asked", actor="ops"
    )
    outcomes = send(web, identify("m1", userId="charlie", traits={"email": "Charlie@mail.example"}))
    assert [o.status for o in outcomes] == ["suppressed"]
    assert not Event.objects.exists()
    assert Receipt.objects.get().status == "suppressed"


def test_the_follow_up_commits_with_the_events(web: Source, send: Sent) -> None:
    send(web, track("m1", "Product Viewed", userId="alice"))
    message = OutboxMessage.objects.get()
    assert message.payload == {"events": [Event.objects.get().pk]}


def test_nothing_new_asks_for_no_follow_up(web: Source, send: Sent) -> None:
    send(web, {"type": "page", "messageId": "m1"})
    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize("missing", [None, ""])
def test_a_message_without_an_id_gets_one(web: Source, send: Sent, missing: str | None) -> None:
    outcome = send(web, {"type": "page", "userId": "u", "messageId": missing})[0]
    assert outcome.message_id.startswith("unison-")
    assert Receipt.objects.get().message_id == outcome.message_id
