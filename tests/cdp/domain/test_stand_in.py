"""New products by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from cdp import artifacts
from cdp.domain.mixing import Mixture
from cdp.domain.ranking import Touch
from cdp.domain.slates import Ranker
from cdp.domain.stand_in import StandIns
from cdp.domain.voices import Counts, Vectors

# Of four products the last is new; the first speaks for it with 3/4, the second with 1/4.
BY = sparse.csr_matrix(np.array([[0.75, 0.25, 0, 0]], dtype=np.float32))
NEW = StandIns(np.array([3]), BY, 2.0)


def test_voices_that_hear_no_words_are_filled_in_and_others_are_not() -> None:
    voiced = np.array([[[4, 0, 1, -9]], [[4, 0, 1, -9]]], dtype=np.float32)
    NEW.fill(voiced, ["graph", "text"])
    assert voiced.tolist() == [[[4, 0, 1, 6]], [[4, 0, 1, -9]]]


def test_a_mixture_speaks_for_what_is_new_and_its_file_too(tmp_path: Path) -> None:
    one = np.ones(4, dtype=np.float32)
    counts = Counts(np.array([9, 0, 0, 0], dtype=np.float32))
    words = Vectors(np.eye(4, dtype=np.float32), one, one, unit=True, source="text")
    mixture = Mixture({"popularity": (1.0, counts), "text": (0.0, words)}, None, NEW)
    history = [Touch(2, "viewed", 1)]
    scores = mixture.scores([history])[0]
    root = 3**0.5  # of (9, 0, 0, 0), standardised: √3 and -1/√3
    assert scores == pytest.approx([root, -1 / root, -1 / root, 2 * (0.75 * root - 0.25 / root)])
    ranker = Ranker(["a", "b", "c", "d"], mixture)
    artifacts.save(ranker, tmp_path / "a.npz")
    found = artifacts.load(tmp_path / "a.npz")
    assert found.voice.scores([history])[0] == pytest.approx(scores)
