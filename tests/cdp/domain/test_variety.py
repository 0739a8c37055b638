"""Slates that differ within themselves, and places that find something out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cdp.domain.ranking import Touch
from cdp.domain.slates import Ranker, slates
from cdp.domain.variety import DEEPER, Variety, diversified, explored
from cdp.domain.voices import Vectors

# Two teas that are one direction, a pot across, and a tent across both.
ALIKE = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
SCORES = np.array([1.0, 0.9, 0.8, 0.0], dtype=np.float32)
RANKED = np.arange(4)
LOOKED = [Touch(0, "viewed", 1)]


def order(weight: float, count: int = 4) -> list[int]:
    return diversified(RANKED, SCORES, ALIKE, weight, count).tolist()


def test_the_second_of_two_alike_waits_for_what_differs() -> None:
    assert order(0.0) == [0, 1, 2, 3]
    # With .3 the second tea is worth .7 x .9 - .3 x 1 = .33, the pot .7 x .8 = .56, the tent 0.
    assert order(0.3) == [0, 2, 1, 3]
    assert order(0.3, 2) == [0, 2]
    assert order(1.0) == [0, 2, 3, 1]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(0, 1), st.integers(1, 40))
def test_diversity_orders_what_is_ranked_and_keeps_the_best_first(
    scores: list[float], weight: float, count: int
) -> None:
    values = np.array(scores, dtype=np.float32)
    ranked = np.argsort(-values, kind="stable")
    alike = np.eye(len(values), dtype=np.float32)
    found = diversified(ranked, values, alike, weight, count).tolist()
    assert len(found) == len(set(found)) == min(count, len(values)) and found[0] == ranked[0]
    # What is unlike each other all alike is not reordered, however much being unlike counts.
    worth = [values[n] for n in found]
    assert weight == 1 or worth == sorted(worth, reverse=True)


def test_every_tenth_place_explores_and_the_same_history_finds_the_same() -> None:
    shown, deeper = np.arange(30), np.arange(30, 200)
    found, new = explored(shown, deeper, 0.1, LOOKED)
    assert [n for n, product in enumerate(found.tolist()) if product in new] == [9, 19, 29]
    assert len(found) == 30 and new <= set(deeper.tolist())
    assert [n for n in found.tolist() if n not in new] == list(range(27))
    again, same = explored(shown, deeper, 0.1, list(reversed(LOOKED)))
    assert again.tolist() == found.tolist() and same == new
    nearly, _ = explored(shown, deeper, 0.1, [Touch(0, "viewed", 2)])  # ms are not told apart
    assert nearly.tolist() == found.tolist()
    _, other = explored(shown, deeper, 0.1, [Touch(0, "viewed", 60_000)])
    assert other != new


def test_nothing_is_explored_without_a_share_or_anything_below() -> None:
    for share, deeper in ((0.0, np.arange(5, 9)), (0.5, np.zeros(0, dtype=np.int64))):
        found, new = explored(np.arange(5), deeper, share, LOOKED)
        assert (found.tolist(), new) == ([0, 1, 2, 3, 4], set())
    found, new = explored(np.arange(3), np.array([7, 8, 9]), 1.0, LOOKED)
    assert set(found.tolist()) == new == {7, 8, 9}


def test_a_slate_says_what_it_explores_and_leaves_out_what_is_owned() -> None:
    dice = np.random.default_rng(1)
    vectors = dice.normal(size=(400, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    one = np.ones(400, dtype=np.float32)
    ranker = Ranker([f"p{n}" for n in range(400)], Vectors(vectors, one, one, unit=True))
    owned = [Touch(n, "purchased", n) for n in range(5)]
    variety = Variety(diversity=0.3, exploration=0.1)
    [slate] = slates(ranker, [owned], 20, variety=variety)
    [plain] = slates(ranker, [owned], 20 + DEEPER)
    new = [n for n, item in enumerate(slate) if item["reason"].get("explored")]
    assert new == [9, 19] and len({item["sku"] for item in slate}) == 20
    assert slate[0]["sku"] == plain[0]["sku"]
    below = {item["sku"] for item in plain[20:]}
    assert {slate[n]["sku"] for n in new} <= below
    assert not {f"p{n}" for n in range(5)} & {item["sku"] for item in slate}
    [again] = slates(ranker, [owned], 20, variety=variety)
    assert again == slate
