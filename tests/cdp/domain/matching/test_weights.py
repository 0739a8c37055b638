"""The weight of two records, worked out by hand."""

from __future__ import annotations

import json
from math import log2

import pytest

from cdp.domain.matching.comparing import comparisons
from cdp.domain.matching.weights import ELSE, Trained, Weights

KINDS = {"name": "surname", "phone": "phone"}


@pytest.fixture
def weights() -> Weights:
    trained = {
        one.name: {level.name: Trained(0.5, 0.01) for level in one.levels}
        | {ELSE: Trained(0.1, 0.8)}
        for one in comparisons(KINDS)
    }
    frequencies = {"name": {"smith": 0.02, "zyx": 0.001}, "phone": {}}
    return Weights(KINDS, 0.2, trained, frequencies)


def test_the_weight_is_the_sum_of_its_parts(weights: Weights) -> None:
    a, b = {"name": "smith", "phone": "5551234"}, {"name": "smith", "phone": "999"}
    parts = weights.parts(a, b)
    assert [(p.comparison, p.level) for p in parts] == [
        ("prior", "any two records"), ("name", "the same"), ("phone", "different")
    ]  # fmt: skip
    expected = log2(0.25) + log2(50) + log2(0.01 / 0.02) + log2(0.1 / 0.8)
    assert weights.weight(a, b) == pytest.approx(expected, abs=1e-12)
    assert sum(p.total for p in parts) == pytest.approx(expected, abs=1e-12)


def test_a_rare_name_says_more_and_a_missing_field_nothing(weights: Weights) -> None:
    common = weights.weight({"name": "smith"}, {"name": "smith"})
    rare = weights.weight({"name": "zyx"}, {"name": "zyx"})
    assert rare - common == pytest.approx(log2(20), abs=1e-12)
    assert weights.weight({"name": None}, {"name": "smith"}) == log2(0.25)


def test_one_slip_in_a_phone_number_is_its_own_level(weights: Weights) -> None:
    parts = weights.parts({"phone": "5551234"}, {"phone": "5551243"})
    assert parts[-1].level == "one slip"
    assert weights.parts({"phone": "5551234"}, {"phone": "5559943"})[-1].level == "different"


def test_a_model_is_written_and_read_back_alike(weights: Weights) -> None:
    again = Weights.of(json.loads(json.dumps(weights.document())))
    a, b = {"name": "smyth", "phone": "1"}, {"name": "smith", "phone": "1"}
    assert again.document() == weights.document()
    assert again.weight(a, b) == weights.weight(a, b)
