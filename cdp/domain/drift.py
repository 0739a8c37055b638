"""Has what comes in, or what goes out, moved away from what was learned from?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

SMALL, LARGE = 0.1, 0.25
FEWEST = 100


def psi(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    """Population stability index of two counts by class: sum of (a - b) ln(a / b) over shares
    (Siddiqi 2006). Below 0.1 little has moved, above 0.25 much. Half a case is added to each class,
    so that a new one counts without being infinite; None with fewer than 100 cases on a side.
    """
    names = sorted({*before, *after})
    if min(sum(before.values()), sum(after.values())) < FEWEST:
        return None
    total_before = sum(before.values()) + 0.5 * len(names)
    total_after = sum(after.values()) + 0.5 * len(names)
    found = 0.0
    for name in names:
        b = (before.get(name, 0.0) + 0.5) / total_before
        a = (after.get(name, 0.0) + 0.5) / total_after
        found += (a - b) * math.log(a / b)
    return found


def deciles(
    before: Sequence[float], after: Sequence[float]
) -> tuple[dict[str, int], dict[str, int]]:
    """Two samples as counts in the tenths of the first."""
    ordered = sorted(before)
    cuts = [ordered[len(ordered) * n // 10] for n in range(1, 10)] if ordered else []

    def counted(values: Sequence[float]) -> dict[str, int]:
        found = dict.fromkeys(map(str, range(10)), 0)
        for value in values:
            found[str(sum(value >= cut for cut in cuts))] += 1
        return found

    return counted(before), counted(after)


def said(value: float | None) -> str:
    if value is None:
        return "too few to say"
    return "steady" if value < SMALL else "moving" if value < LARGE else "moved"
