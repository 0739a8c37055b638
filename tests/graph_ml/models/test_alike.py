"""Customers alike, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.domain.ranking import Touch
from graph_ml.dataset import Split, positive
from graph_ml.models.alike import Alike
from graph_ml.models.contract import ProductFeatures

NOTHING = ProductFeatures(np.zeros((4, 1), np.float32), np.full(4, -1), 1)


def test_a_neighbour_s_products_count_by_likeness_and_nobody_is_their_own() -> None:
    """Alice has w and x, Bob x and y, Charlie z alone. x was touched by two, the others by one."""
    had = [[0, 1], [1, 2], [3]]
    histories = [[Touch(product, "viewed", 0) for product in products] for products in had]
    data = Split(["a", "b", "c"], ["w", "x", "y", "z"], histories, {}, positive(histories, 4))
    model = Alike()
    model.learn(data, NOTHING, lambda line: None)
    # Scaled by degree^(-1/4): w and y are 1, x is 2^(-1/4), whose square is 2^(-1/2).
    likeness = 2**-0.5 / (1 + 2**-0.5)
    wanted = [[0, likeness, likeness, 0], [likeness, likeness, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(model.scores(histories), wanted, rtol=1e-5)


def test_more_neighbours_than_customers_are_all_of_them() -> None:
    """Alice has w and x: to somebody new with w alone, x is what she says."""
    histories = [[Touch(0, "viewed", 0), Touch(1, "viewed", 0)]]
    data = Split(["a"], ["w", "x", "y", "z"], histories, {}, positive(histories, 4))
    model = Alike()
    model.learn(data, NOTHING, lambda line: None)
    assert model.scores([[Touch(0, "viewed", 0)]])[0] == pytest.approx([2**-0.5, 2**-0.5, 0, 0])
