"""The walk's numbers, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from cdp.domain.ranking import Touch
from graph_ml.dataset import Split
from graph_ml.models.contract import ProductFeatures
from graph_ml.models.random_walk import RandomWalk, co_touch

# Alice touched w and x, Bob x and y, Charlie x alone.
TOUCHED = sparse.csr_matrix(np.array([[1, 1, 0], [0, 1, 1], [0, 1, 0]], dtype=np.float32))
NOTHING = ProductFeatures(np.zeros((3, 1), np.float32), np.full(3, -1), 1)


def test_a_customer_of_n_products_counts_n_to_the_minus_exponent() -> None:
    half = 2**-0.5
    wanted = [[half, half, 0], [half, 1 + 2 * half, half], [0, half, half]]
    np.testing.assert_allclose(co_touch(TOUCHED, 0.5, keep=10).toarray(), wanted, rtol=1e-6)


def test_each_product_keeps_those_that_stand_out_most() -> None:
    """x leads to itself most, then to w and y alike: of three, the strongest alone is kept."""
    found = co_touch(TOUCHED, 1.0, keep=1).toarray()
    assert [set(np.flatnonzero(row)) for row in found] == [{0}, {1}, {2}]


def test_scores_are_damped_by_popularity_on_both_sides() -> None:
    model = RandomWalk()
    model.parameters_used |= {"customer": 1.0, "given": 0.5, "asked": 1.0, "decay": 1.0}
    histories = [[Touch(1, "viewed", 0)]]
    model.learn(Split(["a"], ["w", "x", "y"], histories, {}, TOUCHED), NOTHING, lambda line: None)
    # From x (touched by three): to w by Alice (half), to itself by all three (1/2 + 1/2 + 1).
    wanted = np.array([0.5, 2.0 / 3, 0.5]) / np.sqrt(3)
    assert model.scores(histories)[0] == pytest.approx(wanted, rel=1e-5)
