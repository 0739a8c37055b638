"""A mixture's network by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from cdp import artifacts
from cdp.domain.blending import BELOW, Blend, inputs, peaks
from cdp.domain.mixing import Mixture
from cdp.domain.ranking import Touch
from cdp.domain.slates import Ranker, slates
from cdp.domain.voices import Counts, Lists

ONE = np.ones(4, dtype=np.float32)
LEADS = sparse.csr_matrix(
    np.array([[0, 3, 2, 0], [0, 0, 4, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
)
LISTS = Lists(LEADS, ONE, ONE, decay=1.0)
HISTORY = [Touch(0, "viewed", 1), Touch(1, "viewed", 2)]


def listening_to(place: int, sign: float = 1.0, bias: float = 9.0, voices: int = 2) -> Blend:
    """A network that hears one input alone."""
    count = 4 * voices + 3 + 3
    first = np.zeros((count, 1), dtype=np.float32)
    first[place] = sign
    zero = np.zeros(count, dtype=np.float32)
    return Blend(
        first, np.full(1, bias, np.float32), np.ones(1, np.float32), zero, zero + 1,
        np.log1p(np.array([5, 4, 3, 0], dtype=np.float32)),
    )  # fmt: skip


def test_peaks_tell_one_touch_from_many() -> None:
    """For the cup (2) two touches speak, 4 and 2; for the pot (1) one of two; for the tent none."""
    found = peaks(LISTS, HISTORY, np.array([2, 1, 3]))
    usual = (6 + 3 + 0) / 3
    assert found[0] == pytest.approx(np.log1p(np.array([4, 3, 0]) / usual))
    assert found[1] == pytest.approx(np.log1p(np.array([6, 3, 0]) / usual))
    assert found[2].tolist() == [1.0, 0.5, 0.0]
    assert peaks(None, HISTORY, np.array([2, 1])).tolist() == [[0, 0], [0, 0], [0, 0]]


def test_the_inputs_are_voices_popularity_and_length_and_their_products() -> None:
    voices = np.array([[2.0, -1.0]], dtype=np.float32)
    popular = np.array([3.0, 4.0], dtype=np.float32)
    long = np.log1p(2)
    found = inputs(voices, popular, HISTORY, np.zeros((3, 2), dtype=np.float32))
    wanted = [2, np.log(3), 3, long, 3 * long, 2 * long, 6, 0, 0, 0]
    assert found.shape == (2, 10) and found[0] == pytest.approx(wanted, rel=1e-6)
    assert found[1, :2].tolist() == [-1.0, 0.0]


def test_the_network_ranks_anew_and_nobody_without_a_history() -> None:
    """Fixed weights hear the lists alone; the network hears the counts (the second voice) alone."""
    counts = Counts(np.array([1, 2, 3, 9], dtype=np.float32))
    parts = {"lists": (1.0, LISTS), "popularity": (0.0, counts)}
    blended = Mixture(parts, listening_to(1))
    scores = blended.scores([HISTORY, []])
    assert np.argsort(-scores[0]).tolist() == [3, 2, 1, 0]
    assert scores[1].tolist() == [-BELOW] * 4
    assert np.argsort(-Mixture(parts).scores([HISTORY])[0])[:2].tolist() == [2, 1]


def test_a_slate_and_a_file_keep_the_network(tmp_path: Path) -> None:
    counts = Counts(np.array([1, 2, 3, 9], dtype=np.float32))
    voice = Mixture(
        {"lists": (1.0, LISTS), "popularity": (0.5, counts)}, listening_to(1, -3.0, 0.0)
    )
    ranker = Ranker(["tea", "pot", "cup", "tent"], voice)
    [slate] = slates(ranker, [HISTORY])
    assert [item["sku"] for item in slate] == ["tea", "pot", "cup", "tent"]
    artifacts.save(ranker, tmp_path / "a.npz")
    assert list(slates(artifacts.load(tmp_path / "a.npz"), [HISTORY])) == [slate]
