"""What follows what, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.domain.ranking import Touch
from graph_ml.dataset import Split, positive
from graph_ml.models.contract import ProductFeatures
from graph_ml.models.transitions import Transitions

NOTHING = ProductFeatures(np.zeros((4, 1), np.float32), np.full(4, -1), 1)


def learned(*histories: list[Touch], **settings: float) -> Transitions:
    model = Transitions()
    model.parameters_used |= {"back": 0.0, "decay": 0.5, **settings}
    skus = ["w", "x", "y", "z"]
    data = Split(
        [str(n) for n in range(len(histories))], skus, histories, {}, positive(histories, 4)
    )
    model.learn(data, NOTHING, lambda line: None)
    return model


def test_a_later_product_counts_one_over_the_steps_between() -> None:
    """w, then a basket of x and y, then z; each was touched once."""
    model = learned([Touch(0, "viewed", 1), Touch(1, "purchased", 2), Touch(2, "purchased", 2),
                     Touch(3, "viewed", 3)])  # fmt: skip
    assert model.scores([[Touch(0, "viewed", 9)]])[0] == pytest.approx([0, 1, 1, 0.5])
    assert model.scores([[Touch(3, "viewed", 9)]])[0] == pytest.approx([0, 0, 0, 0])


def test_what_came_before_counts_back() -> None:
    model = learned([Touch(0, "viewed", 1), Touch(1, "viewed", 2)], back=0.25)
    assert model.scores([[Touch(1, "viewed", 9)]])[0] == pytest.approx([0.25, 0, 0, 0])


def test_steps_of_two_customers_never_join() -> None:
    model = learned([Touch(0, "viewed", 1)], [Touch(1, "viewed", 2)])
    assert not model.scores([[Touch(0, "viewed", 9)]]).any()


def test_the_latest_touch_speaks_most() -> None:
    model = learned([Touch(0, "viewed", 1), Touch(2, "viewed", 2)],
                    [Touch(1, "viewed", 1), Touch(3, "viewed", 2)])  # fmt: skip
    row = model.scores([[Touch(0, "viewed", 1), Touch(1, "viewed", 2)]])[0]
    assert row == pytest.approx([0, 0, 0.5, 1])
