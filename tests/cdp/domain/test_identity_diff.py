"""Differences between two partitions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cdp.domain.identifiers import Key
from cdp.domain.identity_diff import Regrouped, State, diff, neighbours, walk

A, B, C, D = (Key("email", f"{name}@x.y") for name in "abcd")
E = Key("cookie", "e")


def test_merges_splits_moves_and_shared_ones_are_told_apart() -> None:
    before = State({A: A, B: A, C: C, D: D, E: C}, frozenset({D}))
    after = State({A: A, B: B, C: C, D: C, E: C}, frozenset({E}))
    found = diff(before, after)
    assert (found.customers_before, found.customers_after) == (3, 3)
    assert found.merged == (Regrouped(C, (C, D)),)
    assert found.split == (Regrouped(A, (A, B)),)
    assert found.moved == {"email": 2}
    assert (found.turned_shared, found.no_longer_shared) == ((E,), (D,))
    assert (found.renamed, found.appeared, found.vanished) == (0, {}, {})


def test_the_same_group_under_another_id_is_renamed() -> None:
    found = diff(State({A: A, B: A}), State({A: B, B: B}))
    assert (found.renamed, found.merged, found.split) == (1, (), ())


def test_identifiers_that_come_and_go_are_counted_by_kind() -> None:
    found = diff(State({A: A, E: A}), State({A: A, B: A, C: A}))
    assert (found.appeared, found.vanished) == ({"email": 2}, {"cookie": 1})
    assert (found.merged, found.split) == ((), ())


states = st.dictionaries(st.sampled_from([A, B, C, D, E]), st.sampled_from([A, B, C, D, E])).map(
    State
)


@given(states, states)
def test_nothing_differs_from_itself_and_back_is_the_mirror(one: State, two: State) -> None:
    assert diff(one, one).moved == {} and diff(one, one).merged == ()
    there, back = diff(one, two), diff(two, one)
    assert there.merged == back.split and there.split == back.merged
    assert there.moved == back.moved and there.appeared == back.vanished


def test_the_shortest_path_is_found_or_there_is_none() -> None:
    near = neighbours([(A, B), (B, C), (C, D), (A, C), (B, B)])
    assert walk(near, A, D) == [A, C, D]
    assert walk(near, A, E) == ()
    assert walk(near, E, E) == [E]
