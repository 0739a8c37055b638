"""The regression by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.domain.ranking import Touch
from graph_ml.dataset import Split, positive
from graph_ml.models.contract import ProductFeatures
from graph_ml.models.regression import LONGEST, Regression, _together

NOTHING = ProductFeatures(np.zeros((3, 1), np.float32), np.full(3, -1), 1)


def shop(had: list[list[int]], products: int = 3) -> Split:
    histories = [[Touch(product, "viewed", 0) for product in own] for own in had]
    names = [f"c{n}" for n in range(len(had))]
    skus = [f"p{n}" for n in range(products)]
    return Split(names, skus, histories, {}, positive(histories, products))


def fitted(data: Split, ridge: float) -> Regression:
    model = Regression(ridge=ridge)
    model.parameters_used |= {"customer": 0.0, "product": 0.0, "asked": 0.0, "decay": 1.0}
    model.learn(data, NOTHING, lambda line: None)
    return model


def test_what_says_the_same_is_not_counted_twice() -> None:
    """Two customers had all three products, two others the first and second alone: the third is
    explained by either, and by both together as much as by one."""
    model = fitted(shop([[0, 1, 2], [0, 1, 2], [0, 1], [0, 1]]), ridge=1.0)
    # Together: 0 and 1 with themselves and each other 4, with 2 twice. (4 + 1) w + 4 w = 2.
    scores = model.scores([[Touch(0, "viewed", 0)], [Touch(0, "viewed", 0), Touch(1, "viewed", 0)]])
    assert scores[:, 2] == pytest.approx([2 / 9, 4 / 9])
    # The second, by the first (4) and the third (2): 5 w + 2 v = 4, 2 w + 3 v = 2.
    assert scores[0, 1] == pytest.approx((4 * 3 - 2 * 2) / (5 * 3 - 2 * 2))
    assert scores[0, 0] == 0.0


def test_of_a_long_history_the_latest_count() -> None:
    long = list(range(LONGEST + 50))
    histories = [[Touch(product, "viewed", product) for product in long]]
    matrix = positive(histories, len(long))
    found = _together(matrix, np.ones(len(long), dtype=np.float32), 0.0, 0.0)
    assert found.nnz == LONGEST**2
    assert found[0, 0] == 0 and found[LONGEST + 49, LONGEST + 49] == 1


def test_a_shop_where_nothing_goes_together_says_nothing() -> None:
    assert not fitted(shop([[0], [1]]), 1.0).scores([[Touch(0, "viewed", 0)]]).any()
