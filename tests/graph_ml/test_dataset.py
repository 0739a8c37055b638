"""The split by time leaks nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cdp.domain.ranking import Touch
from cdp.domain.voices import touched
from cdp.errors import CDPError
from graph_ml.dataset import (
    Interactions,
    Query,
    Split,
    boundaries,
    everything,
    later_part,
    positive,
    split,
    windows,
    without_leak,
)


def interactions(*rows: tuple[int, int, str, int]) -> Interactions:
    ordered = sorted(rows, key=lambda row: row[3])
    customer, product, verb, at = (list(column) for column in zip(*ordered, strict=True))
    customers, skus = (
        [f"c{n}" for n in range(max(customer) + 1)],
        [f"p{n}" for n in range(max(product) + 1)],
    )
    return Interactions(customers, skus, np.array(customer), np.array(product), verb, np.array(at))


DATA = interactions(
    (0, 0, "viewed", 1), (0, 1, "purchased", 5), (0, 0, "purchased", 6), (1, 1, "viewed", 7),
    (0, 2, "returned", 8), (2, 2, "viewed", 2), (2, 0, "searched", 9), (2, 1, "added", 9),
)  # fmt: skip


def test_only_the_past_is_learned_from_and_only_the_new_is_asked() -> None:
    past = split(DATA, 5)
    assert [[(t.product, t.verb) for t in h] for h in past.histories] == [
        [(0, "viewed")],
        [],
        [(2, "viewed")],
    ]
    assert past.targets == {0: frozenset({1}), 2: frozenset({1})}


def test_no_touch_from_after_the_split_is_in_anything_learned_from() -> None:
    for start in range(2, 10):
        past = split(DATA, start)
        assert all(touch.at < start for history in past.histories for touch in history)
        later = {
            (int(c), int(p))
            for c, p, at in zip(DATA.customer, DATA.product, DATA.at, strict=True)
            if at >= start
        }
        earlier = {(c, t.product) for c, h in enumerate(past.histories) for t in h}
        assert set(zip(*past.matrix.nonzero(), strict=True)) <= earlier
        assert {(c, p) for c, products in past.targets.items() for p in products} <= later - earlier


def test_everything_asks_nothing() -> None:
    full = everything(DATA)
    assert sum(map(len, full.histories)) == 8
    assert full.targets == {}


def test_boundaries_are_shares_of_the_positive_interactions() -> None:
    data = interactions(*((0, n, "viewed", n) for n in range(10)))
    assert boundaries(data) == (7, 8)


def test_nothing_before_the_split() -> None:
    with pytest.raises(CDPError, match="nothing_to_learn"):
        split(DATA, 0)


def of(*histories: list[Touch], last_out: bool = False) -> Split:
    skus = [f"p{n}" for n in range(10)]
    names = [str(n) for n in range(len(histories))]
    return Split(names, skus, histories, {}, positive(histories, 10), last_out)


def test_the_last_part_of_undated_data_is_a_fifth_of_every_customer() -> None:
    data = of([Touch(n, "viewed", 0) for n in range(10)], [Touch(1, "viewed", 0)])
    part = later_part(data)
    assert [len(history) for history in part.histories] == [8, 1]
    assert set(part.targets) == {0} and len(part.targets[0]) == 2
    assert part.targets[0].isdisjoint({touch.product for touch in part.histories[0]})


def test_the_last_purchase_is_asked_for_with_no_touch_of_it_left() -> None:
    bought = [Touch(3, "viewed", 1), Touch(2, "purchased", 2), Touch(3, "purchased", 3), Touch(4, "viewed", 4)]  # fmt: skip
    part = later_part(of(bought, [Touch(5, "viewed", 1)], last_out=True))
    assert part.targets == {0: frozenset({3})}
    assert [touch.product for touch in part.histories[0]] == [2, 4]
    assert [touch.product for touch in part.histories[1]] == [5]


def test_touches_of_one_moment_have_the_same_rank() -> None:
    basket = [Touch(1, "purchased", 5), Touch(2, "purchased", 5), Touch(3, "viewed", 1)]
    assert touched([basket], 4, decay=0.5).toarray()[0].tolist() == [0, 3, 3, 0.25]


def test_a_planted_leak_is_caught() -> None:
    """A touch of the day after in a history; a wanted product in the matrix alone."""
    histories = [[Touch(0, "viewed", 5)], [Touch(1, "viewed", 6)]]
    sound = Split(
        ["a", "b"], ["x", "y", "z"], histories, {0: frozenset({2})}, positive(histories, 3)
    )
    assert without_leak(sound, 10) is sound
    late = [[*histories[0], Touch(1, "viewed", 10)], histories[1]]
    with pytest.raises(CDPError, match="leak: customer a is learned from by 1 touches after"):
        without_leak(replace(sound, histories=late, matrix=positive(late, 3)), 10)
    hidden = [[*histories[0], Touch(2, "viewed", 5)], histories[1]]
    with pytest.raises(CDPError, match="leak: customer a is asked for what was learned: z"):
        without_leak(replace(sound, matrix=positive(hidden, 3)), 10)


def test_queries_of_after_the_split_are_not_learned_from() -> None:
    asked = [Query("pot", 0, 2), Query("tea", 1, 6)]
    past = split(replace(DATA, queries=asked), 6)
    assert past.queries == asked[:1]
    start = max(t.at for h in past.histories for t in h)
    assert later_part(past, share=0.2).queries == [q for q in asked if q.at < start]
    with pytest.raises(CDPError, match="1 queries after the split"):
        without_leak(replace(past, queries=asked), 6)


def test_windows_lie_one_before_the_other_and_leave_something_to_learn_from() -> None:
    data = interactions(*((n % 7, n, "viewed", n) for n in range(100)))
    assert windows(data, 3) == [(70, 80), (60, 70), (50, 60)]
    assert boundaries(data) == (70, 80)
    assert len(windows(data, 7)) == 7
    for count in (8, 9, 40):
        with pytest.raises(CDPError, match="too_many_windows"):
            windows(data, count)
