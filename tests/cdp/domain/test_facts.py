"""Facts in words, and texts made from them."""

from __future__ import annotations

from cdp.domain.facts import FactValue, render, write

NAME = FactValue("name", "text", {"en": "Alder <Pan>", "zh": "煎锅"}, 1)
PRICE = FactValue("price", "money", {"amount": "1299.5", "currency": "USD"}, 3)
WEIGHT = FactValue("weight", "quantity", {"number": "1.20", "unit": "kg"}, 2)
FACTS = {fact.key: fact for fact in (NAME, PRICE, WEIGHT)}


def test_each_locale_writes_numbers_its_own_way() -> None:
    assert write(PRICE, "en") == "$1,299.50"
    assert write(PRICE, "zh") == "US$1,299.50"
    assert write(WEIGHT, "en") == "1.2 kg"
    assert write(WEIGHT, "zh") == "1.2千克"
    assert write(FactValue("x", "text", {"en": "only"}, 1), "zh") is None


def test_a_text_states_facts_with_their_versions() -> None:
    made = render("{name}.\nPrice: {price}.", FACTS, "en", 100, "plain")
    assert made.text == "Alder <Pan>. Price: $1,299.50."
    assert made.stated == {
        "name": {"version": 1, "value": "Alder <Pan>"},
        "price": {"version": 3, "value": "1299.5 USD"},
    }


def test_what_does_not_fit_or_is_not_known_is_left_out_whole() -> None:
    made = render("{name}.\nPrice: {price}.\nBy {brand}.", FACTS, "en", 20, "plain")
    assert made.text == "Alder <Pan>."
    assert made.left_out == ["Price: {price}.", "By {brand}."]


def test_html_is_escaped() -> None:
    made = render("{name}.", FACTS, "en", 100, "html")
    assert made.text == "<p>Alder &lt;Pan&gt;.</p>"
