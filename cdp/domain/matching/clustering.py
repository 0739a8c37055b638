"""From scored pairs to people, guarded: two groups join only when they agree on the whole.

Connected components trust every single link, so that one wrong one chains two people (or, at worst,
thousands) together. Here pairs are taken from the heaviest on, and two groups join when the mean
weight of the pairs *between* them (sampled where there are many) reaches the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)
SAMPLE = 6


def connected(pairs: Iterable[tuple[T, T]], everyone: Iterable[T]) -> dict[T, T]:
    """Plain connected components: each one's group, named by one of its members."""
    parent: dict[T, T] = {one: one for one in everyone}
    for a, b in pairs:
        _join(parent, a, b)
    return {one: _find(parent, one) for one in parent}


def guarded(
    pairs: Iterable[tuple[float, T, T]],
    everyone: Iterable[T],
    weight: Callable[[T, T], float],
    threshold: float,
) -> dict[T, T]:
    """Groups in which the mean weight between the parts that were joined reaches ``threshold``.

    ``pairs``: (weight, a, b); ``weight`` scores any other pair when it is asked for.
    """
    parent: dict[T, T] = {one: one for one in everyone}
    members: dict[T, list[T]] = {one: [one] for one in parent}
    known: dict[tuple[T, T], float] = {}
    ordered = sorted(pairs, key=lambda p: (-p[0], repr(p[1]), repr(p[2])))
    for value, a, b in ordered:
        known[a, b] = known[b, a] = value

    def between(one: T, two: T) -> float:
        total, count = 0.0, 0
        for a in _spread(members[one]):
            for b in _spread(members[two]):
                if (a, b) not in known:
                    known[a, b] = known[b, a] = weight(a, b)
                total, count = total + known[a, b], count + 1
        return total / count

    for value, a, b in ordered:
        if value < threshold:
            break
        one, two = _find(parent, a), _find(parent, b)
        if one != two and between(one, two) >= threshold:
            root = _join(parent, one, two)
            members[root] = members[one] + members[two]
    return {one: _find(parent, one) for one in parent}


def _spread(members: list[T]) -> list[T]:
    if len(members) <= SAMPLE:
        return members
    step = len(members) / SAMPLE
    return [members[int(n * step)] for n in range(SAMPLE)]


def _find(parent: dict[T, T], one: T) -> T:
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    return one


def _join(parent: dict[T, T], a: T, b: T) -> T:
    one, two = _find(parent, a), _find(parent, b)
    parent[two] = one
    return one
