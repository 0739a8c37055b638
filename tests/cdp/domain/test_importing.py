"""Rows of files as messages and as products."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cdp.domain.importing import message, parse_map
from cdp.domain.listing import listing
from cdp.errors import CDPError


def test_a_column_map_makes_a_message() -> None:
    mapping = parse_map(["card=id.loyalty_card", "when=timestamp", "item=properties.sku"])
    row = {"card": 77, "when": 1_735_689_919, "item": "A", "unused": 1}
    assert message(row, mapping, {"type": "track", "event": "Order Completed"}) == {
        "timestamp": "2025-01-01T00:05:19+00:00",
        "properties": {"sku": "A"},
        "type": "track",
        "event": "Order Completed",
        "context": {
            "externalIds": [
                {"id": "77", "type": "loyalty_card", "collection": "users", "encoding": "none"}
            ]
        },
    }


def test_a_json_column_holds_identifiers_of_several_kinds() -> None:
    made = message({"ids": '{"cookie": ["c1"], "email": ["a@b.co"]}'}, {"ids": "ids"}, {})
    assert isinstance(made, dict)
    assert [(one["type"], one["id"]) for one in made["context"]["externalIds"]] == [
        ("cookie", "c1"), ("email", "a@b.co"),
    ]  # fmt: skip


def test_without_a_map_the_row_is_the_message() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert message({"type": "page", "timestamp": at}, {}, {}) == {
        "type": "page", "timestamp": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip


@pytest.mark.parametrize("pair", ["card", "card=", "=userId", "card=shoe"])
def test_a_bad_map_names_the_pair(pair: str) -> None:
    with pytest.raises(CDPError, match="bad_column_map"):
        parse_map([pair])


def test_a_listing_has_typed_facts() -> None:
    row = {
        "sku": "A",
        "title": "Pan",
        "title_zh": "锅",
        "price": "9.90",
        "channels": "web|app",
        "in_stock": "no",
    }
    made = listing(row, "EUR")
    assert made.facts["name"] == ("text", {"en": "Pan", "zh": "锅"})
    assert made.facts["price"] == ("money", {"amount": "9.90", "currency": "EUR"})
    assert (made.channels, made.in_stock) == (("web", "app"), False)


def test_what_a_data_frame_leaves_empty_is_no_price() -> None:
    assert "price" not in listing({"sku": "A", "title": "x", "price": float("nan")}, "EUR").facts


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"title": "x"}, "sku"),
        ({"sku": "A", "price": "cheap"}, "price"),
        ({"sku": "A", "price": -1}, "price"),
        ({"sku": "A", "title": "x\0"}, "title"),
        ({"sku": "A", "channels": "radio"}, "channels"),
        ({"sku": "A", "facts": "{"}, "facts"),
        ({"sku": "A", "facts": {"w": {"type": "smell", "value": {}}}}, "facts"),
        ({"sku": "A", "facts": {"w": {"type": "text", "value": "red"}}}, "facts"),
        ({"sku": "A", "facts": {"w": {"type": "text", "value": {"en": "a\0"}}}}, "facts"),
        ({"sku": "A", "facts": {"w": {"type": "money", "value": {}}}}, "facts"),
        (
            {
                "sku": "A",
                "facts": {"w": {"type": "quantity", "value": {"number": "abc", "unit": "kg"}}},
            },
            "facts",
        ),
        ({"sku": "A", "facts": {"w/x": {"type": "text", "value": {"en": "a"}}}}, "facts"),
    ],
)
def test_a_bad_listing_names_the_column(row: dict[str, object], field: str) -> None:
    with pytest.raises(CDPError) as error:
        listing(row, "EUR")
    assert error.value.field == field
