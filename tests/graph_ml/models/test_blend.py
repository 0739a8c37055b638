"""The network learns what fixed weights cannot say, and is used only then."""

from __future__ import annotations

import numpy as np

from cdp.domain.ranking import Touch
from graph_ml.dataset import Split, positive
from graph_ml.models.blend import Lists, lists, log_degree, taught

PRODUCTS = 40


def two_kinds(customers: int, telling: bool = True) -> tuple[Lists, Split]:
    """Two voices; the first is right about customers of one touch, the second about those of six.
    Where they are not ``telling``, both only make noise."""
    dice = np.random.default_rng(1)
    histories, targets = [], {}
    voices = dice.normal(0, 1, (2, customers, PRODUCTS)).astype(np.float32)
    tops = np.tile(np.arange(PRODUCTS), (customers, 1))
    for customer in range(customers):
        short = customer % 2 == 0
        had = dice.permutation(PRODUCTS)[: 1 if short else 6].tolist()
        wanted = next(p for p in dice.permutation(PRODUCTS).tolist() if p not in had)
        histories.append([Touch(product, "viewed", 0) for product in had])
        targets[customer] = frozenset({wanted})
        voices[:, customer, had] = -1e6
        if telling:
            voices[0 if short else 1, customer, wanted] += 2.5
    names = [f"c{n}" for n in range(customers)]
    skus = [f"p{n}" for n in range(PRODUCTS)]
    data = Split(names, skus, histories, targets, positive(histories, PRODUCTS))
    return lists(voices, tops, [1.0, 1.0], data, None), data


def test_it_learns_whom_to_believe_about_whom() -> None:
    said: list[str] = []
    found, data = two_kinds(900)
    assert taught(found, log_degree(data), said.append) is not None
    assert said[-1].endswith("on 900 customers it was not taught: used")


def test_noise_teaches_nothing_and_few_are_not_asked() -> None:
    said: list[str] = []
    found, data = two_kinds(900, telling=False)
    assert taught(found, log_degree(data), said.append) is None
    assert said[-1].endswith("not used")
    few, data = two_kinds(200)
    assert taught(few, log_degree(data), said.append) is None and len(said) == 1
