"""The stability index by hand."""

from __future__ import annotations

import math

import pytest

from cdp.domain.drift import deciles, psi, said


def test_by_hand() -> None:
    """Halves become three quarters and one quarter, of 199 cases each and half a case a class."""
    before, after = {"a": 99.5, "b": 99.5}, {"a": 149.5, "b": 49.5}
    wanted = (0.75 - 0.5) * math.log(0.75 / 0.5) + (0.25 - 0.5) * math.log(0.25 / 0.5)
    assert psi(before, after) == pytest.approx(wanted)
    assert psi(before, before) == 0.0


def test_a_new_class_counts_and_few_cases_say_nothing() -> None:
    found = psi({"a": 1000}, {"a": 500, "b": 500})
    assert found is not None and 2 < found < 6
    assert psi({"a": 99}, {"a": 1000}) is None
    assert [said(value) for value in (None, 0.05, 0.2, 0.3)] == [
        "too few to say", "steady", "moving", "moved"
    ]  # fmt: skip


def test_scores_are_counted_in_the_tenths_of_before() -> None:
    before, after = deciles(list(range(100)), [5, 95, 96, 1000, -3])
    assert list(before.values()) == [10] * 10
    assert list(after.values()) == [2, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert sum(deciles([], [1.0])[1].values()) == 1
