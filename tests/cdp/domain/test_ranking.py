"""The inductive step and the ranking."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.domain.ranking import ProductSpace, Touch, because, best, fold_in, history_weights

SPACE = ProductSpace(
    ["a", "b", "c", "d"],
    np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], dtype=np.float32),
    np.array([1, 1, 1, 1], dtype=np.float32),
)


def test_a_customer_is_what_they_touched() -> None:
    assert fold_in([Touch(0, "viewed", 1)], SPACE) == pytest.approx([1, 0])
    assert fold_in([], SPACE) is None


def test_buying_says_more_than_looking_and_later_more_than_earlier() -> None:
    weights = history_weights(
        [Touch(0, "viewed", 1), Touch(1, "purchased", 2), Touch(2, "viewed", 3)]
    )
    assert weights[1] > weights[2] > weights[0]


def test_returning_takes_back() -> None:
    kept = history_weights([Touch(0, "viewed", 1), Touch(0, "purchased", 2)])[0]
    returned = history_weights(
        [Touch(0, "viewed", 1), Touch(0, "purchased", 2), Touch(0, "returned", 3)]
    )[0]
    assert returned == pytest.approx(kept - 2)


def test_the_ranking_is_by_inner_product_without_what_is_owned() -> None:
    vector = np.array([1, 0], dtype=np.float32)
    assert [n for n, _ in best(vector, SPACE, [], 3)] == [0, 1, 2]
    assert [n for n, _ in best(vector, SPACE, [0], 9)] == [1, 2, 3]


def test_the_reason_is_the_touch_with_the_largest_share() -> None:
    history = [Touch(0, "viewed", 1), Touch(2, "viewed", 2)]
    assert because(1, history, SPACE) == Touch(0, "viewed", 1)
    assert because(3, [Touch(0, "viewed", 1)], SPACE) is None
