"""Normalisation and refusal of identifier values."""

from __future__ import annotations

import pytest

from cdp.domain.identifiers import Key, Refused
from cdp.domain.normalisers import normalise


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("email", " Alice.Adams@Mail.EXAMPLE ", "alice.adams@mail.example"),
        ("phone", "(206) 505-7419", "+12065057419"),
        ("phone", "12065057419", "+12065057419"),
        ("phone", "+1 206 505 7419", "+12065057419"),
        ("user_id", " u1 ", "u1"),
        ("social_handle", "IG:Alice", "ig:alice"),
        ("cookie", "Ck-A", "Ck-A"),
    ],
)
def test_equal_people_get_equal_values(kind: str, raw: str, value: str) -> None:
    assert normalise(kind, raw) == Key(kind, value)


@pytest.mark.parametrize(
    ("kind", "raw", "reason"),
    [
        ("email", "n/a", "blocked"),
        ("email", "null@example.com", "blocked"),
        ("email", "a@a.com", "blocked"),
        ("email", "alice at mail", "not_an_email"),
        ("phone", "0000000000", "blocked"),
        ("phone", "555-555-5555", "not_a_phone"),
        ("phone", "12", "not_a_phone"),
        ("user_id", "undefined", "blocked"),
        ("user_id", "-1", "blocked"),
        ("cookie", "anonymousId", "blocked"),
        ("cookie", "00000000-0000-0000-0000-000000000000", "blocked"),
        ("user_id", "   ", "empty"),
        ("user_id", "x1" * 200, "too_long"),
        ("shoe_size", "44", "unknown_kind"),
    ],
)
def test_values_that_name_nobody_are_refused(kind: str, raw: str, reason: str) -> None:
    result = normalise(kind, raw)
    assert isinstance(result, Refused)
    assert result.reason == reason


def test_a_national_number_is_read_in_the_shops_region() -> None:
    assert normalise("phone", "030 901820", "DE") == Key("phone", "+4930901820")
