"""A ranker that grows by products it has not learned."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from cdp.domain.growing import grown
from cdp.domain.mixing import Mixture, space
from cdp.domain.ranking import Touch
from cdp.domain.slates import Ranker, slates
from cdp.domain.stand_in import StandIns
from cdp.domain.voices import Counts, Lists, Neighbours, Vectors, Voice

ONE = np.ones(3, dtype=np.float32)
LEADS = sparse.csr_matrix(np.array([[0, 4, 1], [0, 0, 1], [0, 0, 0]], dtype=np.float32))
PLACES = np.array([[1, 0], [0, 1], [0, -1]], dtype=np.float32)
VOICES = [
    Lists(LEADS, ONE, ONE), Vectors(PLACES, ONE, ONE, unit=True), Counts(ONE),
    Neighbours(sparse.csr_matrix(np.eye(3, dtype=np.float32)), ONE, 2),
]  # fmt: skip
# The teapot, which nobody touched, is spoken for by the pot (1) alone.
BY = sparse.csr_matrix(np.array([[0, 1, 0]], dtype=np.float32))
HISTORY = [Touch(0, "viewed", 1)]


@pytest.mark.parametrize("voice", VOICES)
def test_what_was_known_is_scored_as_before_and_the_new_as_who_speaks_for_it(voice: Voice) -> None:
    ranker = Ranker(["tea", "pot", "tent"], voice)
    larger = grown(ranker, ["teapot"], BY)
    assert larger.skus == ["tea", "pot", "tent", "teapot"]
    scores = larger.voice.scores([HISTORY])[0]
    assert scores[3] == scores[1]
    assert (
        np.argsort(-scores[:3], kind="stable").tolist()
        == np.argsort(-voice.scores([HISTORY])[0], kind="stable").tolist()
    )


def test_it_stands_on_a_slate_beside_the_one_it_is_like() -> None:
    larger = grown(Ranker(["tea", "pot", "tent"], VOICES[0]), ["teapot"], BY)
    [slate] = slates(larger, [HISTORY], 2)
    assert [item["sku"] for item in slate] == ["pot", "teapot"]
    # What is new leads nowhere yet by lists, and by vectors to where it stands.
    touched = [Touch(3, "viewed", 1)]
    assert next(slates(larger, [touched], 4)) == []
    placed = grown(Ranker(["tea", "pot", "tent"], VOICES[1]), ["teapot"], BY)
    assert next(slates(placed, [touched], 4))[0]["sku"] == "pot"


def test_it_grows_twice_and_of_one_that_has_newcomers_already() -> None:
    """The tray is nearest to the teapot, which the pot speaks for: so the pot speaks for both."""
    old = Mixture({"lists": (1.0, VOICES[0])}, None, StandIns(np.array([2]), BY, 1.5))
    once = grown(Ranker(["tea", "pot", "tent"], old), ["teapot"], BY)
    twice = grown(once, ["tray"], sparse.csr_matrix(np.array([[0, 0, 0, 1]], dtype=np.float32)))
    scores = twice.voice.scores([HISTORY])[0]
    assert scores[2] == scores[3] == scores[4] == pytest.approx(1.5 * scores[1])


def test_vectors_keep_their_size() -> None:
    larger = grown(Ranker(["tea", "pot", "tent"], VOICES[1]), ["teapot"], BY)
    found = space(larger.voice)
    assert found is not None and found.vectors.shape == (4, 2)
    assert found.vectors[3].tolist() == [0, 1]
