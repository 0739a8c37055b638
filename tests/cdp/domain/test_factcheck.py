"""The deterministic fact check."""

from __future__ import annotations

import pytest

from cdp.domain.factcheck import check
from cdp.domain.facts import FactValue

FACTS = {
    "name": FactValue("name", "text", {"en": "Alder Pan 28", "zh": "煎锅"}, 1),
    "price": FactValue("price", "money", {"amount": "49.90", "currency": "USD"}, 1),
    "weight": FactValue("weight", "quantity", {"number": "1.5", "unit": "kg"}, 1),
}


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("Alder Pan 28 weighs 1.5 kg. Price: $49.90.", "en"),
        ("<p>Alder Pan 28</p><p>$49.90</p>", "en"),
        ("煎锅,重量:1.5千克。价格:US$49.90。", "zh"),
        ("A pan for everybody.", "en"),
    ],
)
def test_true_texts_pass(text: str, locale: str) -> None:
    assert check(text, FACTS, locale) == []


@pytest.mark.parametrize(
    ("text", "locale", "kind", "about"),
    [
        ("Alder Pan 28 for $39.90.", "en", "contradicted", "price"),
        ("It weighs 11.5 kg.", "en", "contradicted", "weight"),
        ("重1.6千克", "zh", "contradicted", "weight"),
        ("Lasts 25 years.", "en", "unsupported", "number"),
        ("The best pan.", "en", "unsupported", "claim"),
        ("国家级品质", "zh", "unsupported", "claim"),
    ],
)
def test_false_and_unsupported_texts_do_not(text: str, locale: str, kind: str, about: str) -> None:
    problems = check(text, FACTS, locale)
    assert (kind, about) in [(p.kind, p.about) for p in problems]


def test_a_description_may_not_promise_what_no_fact_says() -> None:
    text = "The best mug there is, clinically proven, and only $5 for a short while"
    facts = FACTS | {"summary": FactValue("summary", "text", {"en": text}, 1)}
    problems = check(f"{text}. Price: $49.90.", facts, "en")
    assert [(p.kind, p.about, p.span) for p in problems] == [
        ("unsupported", "claim", "best"), ("unsupported", "claim", "clinically"),
        ("contradicted", "price", "$5"),
    ]  # fmt: skip
    plain = "A pan of 28 cm with a lid, for two to 4 people at home"
    assert (
        check(
            f"{plain}.", FACTS | {"summary": FactValue("summary", "text", {"en": plain}, 1)}, "en"
        )
        == []
    )


def test_a_required_fact_must_be_stated() -> None:
    assert [p.kind for p in check("Alder Pan 28.", FACTS, "en", required=["name", "price"])] == [
        "missing"
    ]
