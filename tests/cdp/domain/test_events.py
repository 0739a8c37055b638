"""Messages of the tracking contract, as sent by real SDKs, and every way to be wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.domain.commerce import Line
from cdp.domain.events import BadEvent, Envelope, ParsedEvent, parse
from cdp.domain.identifiers import Key

NOW = datetime(2026, 11, 23, 21, 1, 32, tzinfo=UTC)
SENT = datetime(2026, 11, 23, 21, 1, 31, 539698, tzinfo=UTC)
WEB = Envelope(channel="web", received_at=NOW, sent_at=SENT)


def accepted(raw: dict[str, Any], envelope: Envelope = WEB) -> ParsedEvent:
    result = parse(raw, envelope)
    assert isinstance(result, ParsedEvent), result
    return result


def refused(raw: object, envelope: Envelope = WEB) -> tuple[str, str]:
    result = parse(raw, envelope)
    assert isinstance(result, BadEvent), result
    return result.reason, result.field


def test_the_canonical_identify_of_the_python_sdk() -> None:
    raw = json.loads(
        """{"integrations":{},"anonymousId":"anon-1","timestamp":"2026-11-23T21:01:31.039+00:00",
        "context":{"library":{"name":"analytics-python","version":"2.4.0"}},"type":"identify",
        "userId":"u1","traits":{"email":"a@b.co","phone":"+1"},"messageId":"0c554413"}"""
    )
    event = accepted(raw)
    assert event.names.keys == (
        Key("cookie", "anon-1"),
        Key("email", "a@b.co"),
        Key("user_id", "u1"),
    )
    assert [(item.kind, item.reason) for item in event.names.refused] == [("phone", "not_a_phone")]
    assert event.traits == {"email": "a@b.co", "phone": "+1"}
    assert event.occurred_at == NOW - timedelta(seconds=0.500698)


def test_rudder_puts_traits_in_the_context_and_sends_original_timestamps() -> None:
    raw = {
        "type": "identify", "messageId": "m", "userId": 7, "sentAt": "2026-11-23T21:01:40Z",
        "originalTimestamp": "2026-11-23T21:01:30Z", "context": {"traits": {"name": "Bob"}},
    }  # fmt: skip
    event = accepted(raw)
    assert event.names.keys == (Key("user_id", "7"),)
    assert event.traits == {"name": "Bob"}
    assert event.occurred_at == NOW - timedelta(seconds=10)


@pytest.mark.parametrize("channel", ["web", "app"])
def test_the_channel_tells_what_an_anonymous_id_is(channel: str) -> None:
    event = accepted({"type": "page", "anonymousId": "x1"}, Envelope(channel, NOW))
    assert event.names.keys == (Key("device_id" if channel == "app" else "cookie", "x1"),)


def test_a_till_names_people_by_external_ids_only() -> None:
    ids = [{"type": "loyalty_card", "id": "L1"}, {"type": "x", "id": "y", "collection": "accounts"}]
    event = accepted({"type": "track", "event": "Order Completed", "context": {"externalIds": ids}})
    assert event.names.keys == (Key("loyalty_card", "L1"),)


def test_an_order_becomes_lines() -> None:
    products = [{"sku": "A", "price": 2.5, "quantity": 2}, {"product_id": 7}, {"name": "no id"}, 3]
    event = accepted(
        {
            "type": "track",
            "event": "order completed",
            "userId": "u",
            "properties": {"products": products},
        }
    )
    assert (event.verb, event.lines) == ("purchased", (Line("A", 2.0, 5.0), Line("7", 1.0, 0.0)))


def test_an_alias_joins_the_previous_id() -> None:
    event = accepted({"type": "alias", "previousId": "ck1", "userId": "u1"})
    assert event.names.keys == (Key("cookie", "ck1"), Key("user_id", "u1"))


def test_consent_becomes_traits_of_every_kind_of_event() -> None:
    context = {"consent": {"categoryPreferences": {"personalization": False}}}
    event = accepted({"type": "page", "userId": "charlie", "context": context})
    assert event.traits == {"consent.personalization": False}


def test_a_sender_whose_clock_is_wrong_is_corrected() -> None:
    sent = datetime(2031, 1, 1, 0, 0, 10, tzinfo=UTC)
    event = accepted(
        {"type": "page", "userId": "u", "timestamp": "2031-01-01T00:00:00Z"},
        Envelope("web", NOW, sent),
    )
    assert event.occurred_at == NOW - timedelta(seconds=10)


def test_an_event_is_never_later_than_its_receipt() -> None:
    later = {"type": "page", "userId": "u", "timestamp": "2031-01-01T00:00:00Z"}
    assert accepted(later, Envelope("web", NOW)).occurred_at == NOW
    assert accepted(later).occurred_at == NOW


@pytest.mark.parametrize(
    ("raw", "reason", "field"),
    [
        (7, "not_an_object", ""),
        ({"type": "track", "userId": "u"}, "missing_event", "event"),
        ({"type": "purchase", "userId": "u"}, "unknown_type", "type"),
        ({"type": ["track"], "userId": "u"}, "unknown_type", "type"),
        ({"userId": "u"}, "unknown_type", "type"),
        ({"type": "page"}, "missing_id", "userId"),
        ({"type": "page", "userId": None, "anonymousId": None}, "missing_id", "userId"),
        ({"type": "alias", "userId": "u"}, "missing_id", "previousId"),
        ({"type": "page", "userId": {"a": 1}}, "not_text", "userId"),
        ({"type": "page", "userId": "u", "context": 3}, "not_an_object", "context"),
        ({"type": "identify", "userId": "u", "traits": []}, "not_an_object", "traits"),
        ({"type": "page", "userId": "u", "timestamp": "yesterday"}, "bad_timestamp", "timestamp"),
        (
            {"type": "page", "userId": "u", "timestamp": "1066-10-14T00:00:00Z"},
            "bad_timestamp",
            "timestamp",
        ),
        ({"type": "page", "userId": "u", "messageId": "m" * 101}, "bad_message_id", "messageId"),
        (
            {"type": "page", "userId": "u", "properties": {"a": "x\0y"}},
            "nul_character",
            "properties.a",
        ),
        (
            {"type": "page", "userId": "u", "properties": {"x\0": 1}},
            "nul_character",
            "properties.x\\x00",
        ),
        (
            {"type": "page", "userId": "u", "properties": {"a": "\ud800"}},
            "bad_unicode",
            "properties.a",
        ),
        (
            {"type": "page", "userId": "u", "properties": {"a": [float("nan")]}},
            "bad_number",
            "properties.a[0]",
        ),
        ({"type": "page", "userId": "u", "properties": {"a": "x" * 40_000}}, "too_large", ""),
    ],
)
def test_bad_messages_name_the_reason_and_the_field(raw: object, reason: str, field: str) -> None:
    assert refused(raw) == (reason, field)


def test_deep_nesting_is_refused_without_recursion() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    assert refused({"type": "page", "userId": "u", "properties": deep})[0] == "too_deep"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
names = st.sampled_from(
    [
        "type",
        "userId",
        "anonymousId",
        "event",
        "properties",
        "traits",
        "context",
        "timestamp",
        "messageId",
        "sentAt",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    json_values
    | st.dictionaries(names, json_values | st.sampled_from(["track", "identify", "alias"]))
)
def test_no_json_value_breaks_the_parser(raw: object) -> None:
    assert isinstance(parse(raw, WEB), ParsedEvent | BadEvent)
