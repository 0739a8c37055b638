"""The record in a message's traits."""

from __future__ import annotations

from typing import Any

import pytest

from cdp.domain.events import BadEvent, ParsedEvent, parse
from cdp.domain.identifiers import Key
from cdp.domain.records import record_of
from tests.cdp.domain.test_events import WEB

ALICE = {"firstName": "Alice", "lastName": "Ng", "birthday": "1980-02-03"}


@pytest.mark.parametrize(
    ("traits", "fields"),
    [
        (ALICE, {"given_name": "alice", "surname": "ng", "birth_date": "1980-02-03"}),
        ({"name": "Ng, Alice", "dob": "03.02.1980"}, {"given_name": "alice", "surname": "ng", "birth_date": "1980-02-03"}),
        ({"name": "王芳", "dob": "1980-02-03"}, {"full_name": "王芳", "birth_date": "1980-02-03"}),
        (
            {**ALICE, "title": "Dr", "address": {"street": "1 Elm St.", "postalCode": "AB1 2CD", "city": "Bath"}, "sex": "F"},
            {"given_name": "alice", "surname": "ng", "birth_date": "1980-02-03", "street": "1 elm st",
             "postcode": "ab12cd", "city": "bath", "gender": "f"},
        ),
        ({**ALICE, "name": "Somebody Else"}, {"given_name": "alice", "surname": "ng", "birth_date": "1980-02-03"}),
    ],
)  # fmt: skip
def test_fields_are_found_under_their_usual_names(traits: Any, fields: dict[str, str]) -> None:
    found = record_of(traits, [])
    assert found is not None and found.fields == fields


@pytest.mark.parametrize(
    "traits",
    [
        {}, {"firstName": "Alice", "lastName": "Ng"}, {"birthday": "1980-02-03", "street": "1 Elm St"},
        {"firstName": "Alice", "birthday": "1980-02-03"}, {**ALICE, "birthday": {"year": 1980}},
        {**ALICE, "birthday": "x" * 300}, {"name": "Alice Ng", "postcode": "12345"},
        {"name": "Alice Ng", "birthday": True},
    ],
)  # fmt: skip
def test_what_names_nobody_in_particular_is_no_record(traits: Any) -> None:
    assert record_of(traits, []) is None


def test_a_postcode_names_somebody_beside_an_identifier() -> None:
    assert record_of({"name": "Alice Ng", "postcode": "12345"}, [("cookie", "ck")]) is not None


def test_records_differ_by_words_and_by_accounts_not_by_devices() -> None:
    plain = record_of(ALICE, [])
    assert plain == record_of({**ALICE, "firstName": " ALICE "}, [("cookie", "ck")])
    assert plain != record_of(ALICE, [("loyalty_card", "L1")])
    assert record_of(ALICE, [("email", "a@b.co")]) != plain
    assert record_of(ALICE, [("email", "a@b.co")]) == record_of({**ALICE, "email": "A@b.co"}, [])


def test_a_message_without_identifiers_is_taken_when_it_writes_a_person_down() -> None:
    event = parse({"type": "identify", "messageId": "m", "traits": ALICE}, WEB)
    assert isinstance(event, ParsedEvent)
    assert [key.kind for key in event.names.keys] == ["record"]
    refused = parse({"type": "identify", "messageId": "m", "traits": {"name": "Alice Ng"}}, WEB)
    assert isinstance(refused, BadEvent) and refused.reason == "missing_id"
    assert "birth date" in refused.detail


def test_nobody_can_name_a_record_from_outside() -> None:
    context = {"externalIds": [{"type": "record", "id": "abc", "collection": "users"}]}
    event = parse({"type": "identify", "messageId": "m", "context": context}, WEB)
    assert isinstance(event, ParsedEvent) and event.names.keys == ()
    assert [(item.kind, item.reason) for item in event.names.refused] == [
        ("record", "unknown_kind")
    ]


def test_rules_do_not_change_a_record() -> None:
    event = parse({"type": "identify", "messageId": "m", "userId": "guest", "traits": ALICE}, WEB)
    assert isinstance(event, ParsedEvent) and event.names.record is not None
    assert event.names.keys == (Key("record", event.names.record.value),)
