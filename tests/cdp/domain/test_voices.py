"""Voices by hand: scores, and that shares add up to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cdp import artifacts
from cdp.domain.mixing import Mixture, space
from cdp.domain.ranking import Touch
from cdp.domain.slates import Ranker
from cdp.domain.voices import Counts, Lists, Neighbours, Vectors, Voice, standardised
from cdp.errors import CDPError

ONE = np.ones(3, dtype=np.float32)
LEADS = sparse.csr_matrix(np.array([[0, 2, 0], [0, 0, 1], [4, 0, 0]], dtype=np.float32))
PLACES = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
BY = sparse.csr_matrix(np.array([[1, 1, 0], [0, 1, 1]], dtype=np.float32))
LISTS = Lists(LEADS, ONE / 2, ONE * 3, decay=0.5, back=0.5)
VECTORS = Vectors(PLACES, ONE, ONE * 2, decay=0.5)
UNIT = Vectors(PLACES, ONE, ONE, unit=True, source="text")
COUNTS = Counts(np.array([3, 1, 0], dtype=np.float32))
NEIGHBOURS = Neighbours(BY, ONE, 2)
MIXTURE = Mixture({"lists": (1.0, LISTS), "words": (0.5, UNIT), "counts": (0.1, COUNTS)})
HISTORY = [Touch(0, "viewed", 1), Touch(1, "viewed", 2)]  # weights: 0 one half (older), 1 one


def test_lists_lead_on_and_back() -> None:
    # 0 counts 1/2 * 1/2, 1 counts 1/2; on: 0 leads to 1 by 2, 1 to 2 by 1; back, by half: 2 leads
    # to 0 by 4, 0 to 1 by 2; asked three times.
    wanted = [3 * 0.5 * 0.5 * 2, 3 * 0.25 * 2, 3 * (0.5 * 1 + 0.25 * 0.5 * 4)]
    assert LISTS.scores([HISTORY])[0] == pytest.approx(wanted)


def test_a_vector_is_what_was_touched() -> None:
    assert VECTORS.customers([HISTORY])[0] == pytest.approx([0.5 + 0.6, 0.8])
    assert VECTORS.scores([HISTORY])[0] == pytest.approx([2.2, 2 * (0.66 + 0.64), 1.6])
    assert UNIT.scores([[Touch(0, "viewed", 1)], []]).tolist() == [
        pytest.approx([1, 0.6, 0]), [0, 0, 0]
    ]  # fmt: skip


@pytest.mark.parametrize("voice", [LISTS, VECTORS, UNIT])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from(["viewed", "purchased", "returned"]), st.integers(0, 5)
        ),
        min_size=1,
    )
)  # fmt: skip
def test_what_touches_add_is_the_score(voice: Voice, touches: list[tuple[int, str, int]]) -> None:
    history = [Touch(*touch) for touch in touches]
    shares = voice.shares(history, np.arange(3))
    assert shares.sum(axis=0) == pytest.approx(voice.scores([history])[0], abs=1e-3)


def test_who_is_alike_says_what_they_had_and_by_which_touch() -> None:
    """Somebody with product 0 alone is like the first customer, who had 1 too."""
    alone = [Touch(0, "viewed", 1)]
    assert NEIGHBOURS.scores([alone])[0] == pytest.approx([2**-0.5, 2**-0.5, 0])
    assert NEIGHBOURS.shares(alone, np.array([1])).tolist() == [[pytest.approx(2**-0.5)]]


def test_rows_are_standardised_and_silence_stays_silent() -> None:
    found = standardised(np.array([[1, 2, 3], [5, 5, 5]], dtype=np.float32))
    assert found[0] == pytest.approx([-(1.5**0.5), 0, 1.5**0.5], rel=1e-5)
    assert found[1].tolist() == [0, 0, 0]


def test_a_mixture_adds_what_is_standardised() -> None:
    wanted = (
        standardised(LISTS.scores([HISTORY]))
        + 0.5 * standardised(UNIT.scores([HISTORY]))
        + 0.1 * standardised(COUNTS.scores([HISTORY]))
    )
    assert MIXTURE.scores([HISTORY])[0] == pytest.approx(wanted[0], rel=1e-5)


def test_a_mixture_has_a_space_where_a_voice_has_vectors() -> None:
    unit = space(UNIT)
    assert unit is not None and unit.vectors == pytest.approx(UNIT.vectors)
    loud = space(Vectors(PLACES * 3, ONE, ONE * 2))
    assert loud is not None and loud.vectors == pytest.approx(PLACES)
    assert loud.customers([HISTORY])[0] == pytest.approx(unit.customers([HISTORY])[0])
    assert space(LISTS) is None and space(Mixture({"lists": (1.0, LISTS)})) is None
    found = space(MIXTURE)
    assert found is not None and np.linalg.norm(found.vectors, axis=1) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("voice", [LISTS, VECTORS, UNIT, COUNTS, NEIGHBOURS, MIXTURE])
def test_what_is_read_back_ranks_the_same(voice: Voice, tmp_path: Path) -> None:
    artifacts.save(Ranker(["x", "y", "z"], voice), tmp_path / "a.npz")
    found = artifacts.load(tmp_path / "a.npz")
    assert found.skus == ["x", "y", "z"] and type(found.voice) is type(voice)
    np.testing.assert_array_equal(found.voice.scores([HISTORY]), voice.scores([HISTORY]))


def test_a_file_cut_off_or_gone_or_of_another_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(CDPError, match="artifact_missing"):
        artifacts.load(path)
    artifacts.save(Ranker(["x", "y", "z"], LISTS), path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CDPError, match=f"artifact_unreadable: {path}"):
        artifacts.load(path)
    np.savez(path, skus=np.array(["x"]), vectors=PLACES)
    with pytest.raises(CDPError, match="learn again"):
        artifacts.load(path)
