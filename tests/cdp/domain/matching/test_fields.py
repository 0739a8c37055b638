"""Cleaning of fields."""

from __future__ import annotations

import pytest

from cdp.domain.matching.fields import cleaned, derived, guess


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("given_name", "  Zoë ", "zoe"),
        ("surname", "O'Brien-Smith", "o brien smith"),
        ("birth_date", "19560409", "1956-04-09"),
        ("birth_date", "9.4.1956", "1956-04-09"),
        ("birth_date", "1956/4/9", "1956-04-09"),
        ("birth_date", "9 Apr 1956", "1956-04-09"),
        ("birth_date", "spring", "spring"),
        ("phone", "(206) 505-7419", "2065057419"),
        ("postcode", "TQ13 8DF", "tq138df"),
        ("email", "A.B@Mail.Example ", "a.b@mail.example"),
        ("street", "12, Hall  St.", "12 hall st"),
        ("other", "N/A", None),
        ("other", float("nan"), None),
        ("city", "", None),
        ("city", None, None),
        ("city", "上海", "上海"),
    ],
)
def test_values_are_made_comparable(kind: str, raw: object, value: str | None) -> None:
    assert cleaned(kind, raw) == value


@pytest.mark.parametrize(
    ("column", "kind"),
    [("First Name", "given_name"), ("dob", "birth_date"), ("addr", "street"), ("shoe", None)],
)
def test_a_columns_name_suggests_its_kind(column: str, kind: str | None) -> None:
    assert guess(column) == kind


def test_parts_are_derived_and_missing_stays_missing() -> None:
    kinds = {"first": "given_name", "last": "surname", "born": "birth_date", "zip": "postcode"}
    record = {"first": "ann", "last": "lee", "born": "1956-04-09", "zip": None}
    found = derived(record, kinds)
    assert found["names"] == "ann lee" and found["names__turned"] == "lee ann"
    assert (found["born__year"], found["born__day"], found["zip__area"]) == ("1956", "04-09", None)
    assert derived({**record, "last": None}, kinds)["names"] is None
