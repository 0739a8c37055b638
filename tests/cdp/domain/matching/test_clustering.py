"""Groups that agree on the whole, against groups that trust every link."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from cdp.domain.matching.clustering import connected, guarded


def groups(found: dict[int, int]) -> set[frozenset[int]]:
    by: dict[int, set[int]] = {}
    for one in found:
        root = one
        while found[root] != root:
            root = found[root]
        by.setdefault(root, set()).add(one)
    return {frozenset(members) for members in by.values()}


def test_one_wrong_link_does_not_chain_two_people() -> None:
    """Two triples, each sure of itself, and one pair between them."""
    sure = [(9.0, 0, 1), (9.0, 1, 2), (9.0, 0, 2), (9.0, 3, 4), (9.0, 4, 5), (9.0, 3, 5)]
    wrong = [*sure, (4.0, 2, 3)]
    alone = guarded(wrong, range(6), lambda a, b: -8.0, 0.0)
    assert groups(alone) == {frozenset({0, 1, 2}), frozenset({3, 4, 5})}
    assert groups(connected([(a, b) for _, a, b in wrong], range(6))) == {frozenset(range(6))}


def test_pairs_that_blocking_lost_are_scored_when_they_are_asked_for() -> None:
    found = guarded([(5.0, 0, 1), (5.0, 1, 2)], range(3), lambda a, b: 1.0, 0.0)
    assert groups(found) == {frozenset({0, 1, 2})}


pairs_ = st.lists(st.tuples(st.integers(-5, 9), st.integers(0, 7), st.integers(0, 7)), max_size=20)


@given(pairs_, st.randoms())
def test_the_order_of_the_pairs_changes_nothing(
    pairs: list[tuple[int, int, int]], dice: random.Random
) -> None:
    once = {(min(a, b), max(a, b)): float(w) for w, a, b in pairs if a != b}
    scored = [(w, a, b) for (a, b), w in once.items()]
    shuffled = list(scored)
    dice.shuffle(shuffled)
    score = lambda a, b: once.get((min(a, b), max(a, b)), -3.0)  # noqa: E731
    assert groups(guarded(scored, range(8), score, 0.0)) == groups(
        guarded(shuffled, range(8), score, 0.0)
    )
