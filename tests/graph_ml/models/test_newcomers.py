"""Who stands in for new products, and how loud they must be."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.domain.ranking import Touch
from cdp.domain.stand_in import StandIns
from graph_ml.dataset import Split, positive
from graph_ml.metrics import Judged
from graph_ml.models.contract import ProductFeatures
from graph_ml.models.newcomers import FEWEST, LIFTS, lifted, stand_ins

KNOWN, KINDS = 24, 2


def shop() -> tuple[Split, ProductFeatures]:
    """Twelve known products of each of two kinds, and one new one of each."""
    products = KNOWN + KINDS
    histories = [[Touch(product, "viewed", 0)] for product in range(KNOWN)]
    names = [f"c{n}" for n in range(KNOWN)]
    skus = [f"p{n}" for n in range(products)]
    kind = np.array([*(n % KINDS for n in range(KNOWN)), 0, 1])
    text = np.eye(4, dtype=np.float32)[kind]
    data = Split(names, skus, histories, {}, positive(histories, products))
    return data, ProductFeatures(text, kind, KINDS)


def test_those_with_the_nearest_words_speak() -> None:
    data, features = shop()
    found = stand_ins(data, features)
    assert found is not None and found.places.tolist() == [KNOWN, KNOWN + 1]
    for row in range(2):
        speaking = found.by[row].indices
        assert len(speaking) == 10 and set(speaking % KINDS) == {row}
        assert found.by[row].data == pytest.approx(np.full(10, 0.1))


def test_without_words_or_without_new_products_nobody_does() -> None:
    data, features = shop()
    silent = ProductFeatures(np.zeros((KNOWN + KINDS, 1), np.float32), features.category, KINDS)
    assert stand_ins(data, silent) is None
    everything = [[Touch(product, "viewed", 0) for product in range(KNOWN + KINDS)]]
    full = Split(["c"], data.skus, everything, {}, positive(everything, KNOWN + KINDS))
    assert stand_ins(full, features) is None


def asked() -> tuple[Split, StandIns]:
    """Thirty customers want the new product and a known one each."""
    data, features = shop()
    count = FEWEST + 10
    histories = [[Touch(0, "viewed", 0)] for _ in range(count)]
    targets = {customer: frozenset({1, KNOWN}) for customer in range(count)}
    found = stand_ins(data, features)
    assert found is not None
    past = Split([f"c{n}" for n in range(count)], data.skus, histories, targets, positive(histories, KNOWN + KINDS))  # fmt: skip
    return past, found


def shown(past: Split, new_for: int, known_for: int) -> Judged:
    """The new product is shown to so many, the known one to so many."""
    count = len(past.customers)
    top = np.full((count, 20), 5, dtype=np.int64)
    top[:new_for, 0] = KNOWN
    top[:known_for, 1] = 1
    hits = (top == KNOWN) | (top == 1)
    return Judged(range(count), top, hits, np.full(count, 2, dtype=np.int64))


def test_the_quietest_lift_that_is_fair_is_taken() -> None:
    past, found = asked()
    by_lift = {
        lift: (new, 20) for lift, new in zip(LIFTS, (0, 3, 6, 9, 12, 15, 18, 20), strict=True)
    }
    said: list[str] = []
    chosen = lifted(found, past, lambda one: shown(past, *by_lift[one.lift]), said.append)
    # 20 of 20 is best in quality; nothing quieter costs so little, however fair.
    assert chosen.lift == 3.0
    found_by = [(11, 20), (11, 20), (12, 20), (12, 20), (12, 20), (12, 19), (12, 19), (12, 18)]
    flat = dict(zip(LIFTS, found_by, strict=True))
    chosen = lifted(found, past, lambda one: shown(past, *flat[one.lift]), said.append)
    assert chosen.lift == 1.3 and said[-1].startswith("new products: lift 1.3, recall 0.60 of")


def test_few_who_want_something_new_decide_nothing() -> None:
    past, found = asked()
    few = Split(past.customers, past.skus, past.histories, {0: frozenset({KNOWN})}, past.matrix)
    assert lifted(found, few, lambda one: shown(few, 1, 1), lambda line: None) is found
