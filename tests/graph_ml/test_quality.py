"""What is said of a model, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.domain.ranking import Touch
from graph_ml.dataset import Interactions, Split, positive
from graph_ml.metrics import Judged, judged
from graph_ml.quality import figures, groups_of, quality

# Five products; w was touched by both, x by Alice; y, z and v by nobody.
HISTORIES = [[Touch(0, "viewed", 1), Touch(1, "viewed", 1)], [Touch(0, "viewed", 1)]]
TARGETS = {0: frozenset({2, 3}), 1: frozenset({1})}
DATA = Split(["alice", "bob"], list("wxyzv"), HISTORIES, TARGETS, positive(HISTORIES, 5))
SCORES = np.array([[0, 0, 3, 1, 2], [0, 1, 3, 2, 0]], dtype=np.float32)


def shown(k: int = 2) -> Judged:
    return judged(lambda batch: SCORES[batch], DATA, k)


def test_each_metric_by_hand() -> None:
    """Alice is shown y (wanted), v; Bob y, z, where x was wanted."""
    found = shown()
    assert found.top.tolist() == [[2, 4], [2, 3]]
    assert found.recall(2).tolist() == [0.5, 0.0]
    assert found.precision(2).tolist() == [0.5, 0.0]
    assert found.hit(2).tolist() == [1.0, 0.0]
    assert found.mrr(2).tolist() == [1.0, 0.0]
    assert found.ndcg(2) == pytest.approx([1 / (1 + 1 / np.log2(3)), 0.0])
    assert found.exposures(5).tolist() == [0, 0, 2, 1, 1]


def test_bob_finds_what_he_wanted_third() -> None:
    assert shown(3).mrr(3) == pytest.approx([1.0, 1 / 3])


def test_cold_and_warm_novel_and_of_the_tail() -> None:
    text = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [1, 0]], dtype=np.float32)
    told = figures(shown(), DATA, {}, text)
    assert told["customers"] == 2.0
    # Alice wanted y and z, which nobody had touched; Bob x, which Alice had.
    assert (told["recall@20 cold"], told["customers cold"]) == (0.5, 1.0)
    assert (told["recall@20 warm"], told["customers warm"]) == (0.0, 1.0)
    # What is shown was touched by nobody, counted as one of the most popular's two: one bit.
    assert told["novelty"] == 1.0
    # The four least touched are the tail: all but w.
    assert told["tail share"] == 1.0
    # Alice's two have the same words, Bob's have nothing in common.
    assert told["diversity"] == pytest.approx(0.5)


def test_groups_by_activity_and_channel() -> None:
    lengths = [1, 2, 3]
    histories = [[Touch(n, "viewed", 0) for n in range(length)] for length in lengths]
    targets = {n: frozenset({4}) for n in range(3)}
    data = Split(["a", "b", "c"], list("wxyzv"), histories, targets, positive(histories, 5))
    whole = Interactions(
        ["a", "b", "c"], list("wxyzv"), np.array([0, 1, 1, 2, 2, 2]), np.array([0, 0, 1, 0, 1, 2]),
        ["viewed"] * 6, np.zeros(6, dtype=np.int64), ["web", "app", "app", "web", "web", "store"],
    )  # fmt: skip
    assert groups_of(data, whole) == {
        "activity light": {0}, "activity medium": {1}, "activity heavy": {2},
        "channel web": {0, 2}, "channel app": {1},
    }  # fmt: skip


def test_a_group_too_small_to_judge_is_not_judged_by_itself() -> None:
    assert quality(shown(), DATA, {"tiny": frozenset({0})}).groups == {}
