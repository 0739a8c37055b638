"""How alike do channels treat the same customer? Pure formulas over what was served.

Rank-biased overlap: Webber, Moffat & Zobel 2010 (equation 32, extrapolated, uneven lists).
Wilson's interval: Wilson 1927. Cluster bootstrap over customers, fixed seed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

import numpy as np

DIMENSIONS = ("identity", "data", "slate", "content")
WINDOWS: Mapping[str, timedelta] = {
    "identity": timedelta(hours=24), "data": timedelta(hours=24), "slate": timedelta(hours=24),
    "content": timedelta(days=7),
}  # fmt: skip
WEIGHTS: Mapping[str, float] = {"identity": 0.15, "data": 0.10, "slate": 0.15, "content": 0.15}
DRAWS = 1000
SEED = 20_261_124


@dataclass(frozen=True)
class Shown:
    """One exposure: on which channel, when, to whom as we knew them *then*, and what."""

    channel: str
    at: datetime
    served_as: str
    items: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PairScore:
    """Two exposures compared: 0 (nothing alike) to 1, and what differs."""

    channels: tuple[str, str]
    score: float
    difference: str = ""


@dataclass(frozen=True)
class Measured:
    """One dimension over customers, with its 95 % interval and what was left out, by reason."""

    score: float | None
    low: float | None
    high: float | None
    customers: int
    pairs: int
    left_out: Mapping[str, int]

    @property
    def status(self) -> str:
        """Fewer than 30 customers measure nothing; from 200 on the figure may be compared."""
        if self.customers < 30:
            return "not_measured"
        return "shown" if self.customers < 200 else "compared"


def rbo_ext(one: Sequence[str], two: Sequence[str], p: float) -> float:
    """Extrapolated rank-biased overlap of two rankings without repeats, of any lengths."""
    short, long = sorted((one, two), key=len)
    s, n = len(short), len(long)
    if s == 0:
        return 1.0 if n == 0 else 0.0
    overlap: list[int] = []
    seen_short: set[str] = set()
    seen_long: set[str] = set()
    for depth in range(n):
        if depth < s:
            seen_short.add(short[depth])
        seen_long.add(long[depth])
        overlap.append(len(seen_short & seen_long))
    x_s, x_l = overlap[s - 1], overlap[n - 1]
    agreed = sum(overlap[d - 1] / d * p**d for d in range(1, n + 1))
    beyond = sum(x_s * (d - s) / (s * d) * p**d for d in range(s + 1, n + 1))
    return (1 - p) / p * (agreed + beyond) + ((x_l - x_s) / n + x_s / s) * p**n


def nearest_pairs(shown: Iterable[Shown], window: timedelta) -> list[tuple[Shown, Shown]]:
    """For every two channels, the exposures nearest in time within the window, each used once."""
    channels: dict[str, list[Shown]] = defaultdict(list)
    for item in shown:
        channels[item.channel].append(item)
    pairs: list[tuple[Shown, Shown]] = []
    for one, two in combinations(sorted(channels), 2):
        gaps = sorted(
            (abs(a.at - b.at), n, m)
            for n, a in enumerate(channels[one])
            for m, b in enumerate(channels[two])
            if abs(a.at - b.at) <= window
        )
        used_one: set[int] = set()
        used_two: set[int] = set()
        for _, n, m in gaps:
            if n not in used_one and m not in used_two:
                used_one.add(n)
                used_two.add(m)
                pairs.append((channels[one][n], channels[two][m]))
    return pairs


def identity_score(a: Shown, b: Shown) -> PairScore:
    same = a.served_as == b.served_as
    why = "" if same else f"{a.channel} knew {a.served_as}, {b.channel} knew {b.served_as}"
    return PairScore((a.channel, b.channel), float(same), why)


def data_score(a: Shown, b: Shown) -> PairScore | None:
    """Share of equal values among the traits that both served; None when there are none."""
    return _equal_share(a, b, a.traits, b.traits)


def content_score(a: Shown, b: Shown) -> PairScore | None:
    """Share of equal values among the facts that both texts state; None when there are none."""
    return _equal_share(a, b, a.facts, b.facts)


def _equal_share(
    a: Shown, b: Shown, left: Mapping[str, Any], right: Mapping[str, Any]
) -> PairScore | None:
    both = sorted(left.keys() & right.keys())
    if not both:
        return None
    unequal = [key for key in both if left[key] != right[key]]
    why = "; ".join(
        f"{key}: {left[key]} ({a.channel}) ≠ {right[key]} ({b.channel})" for key in unequal
    )
    return PairScore((a.channel, b.channel), 1 - len(unequal) / len(both), why)


def slate_score(a: Shown, b: Shown, showable: Mapping[str, frozenset[str]]) -> PairScore | str:
    """RBO of what both channels may show (``showable`` by channel), or why it is left out."""
    common = showable[a.channel] & showable[b.channel]
    left = [sku for sku in a.items if sku in common]
    right = [sku for sku in b.items if sku in common]
    if min(len(left), len(right)) < 3:
        return "fewer_than_three"
    if len(left) * 2 < len(a.items) or len(right) * 2 < len(b.items):
        return "not_comparable"
    p = 0.8 if max(len(a.items), len(b.items)) <= 5 else 0.9
    first = next(
        (n for n, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), None
    )
    why = (
        ""
        if first is None
        else f"rank {first + 1}: {left[first]} ({a.channel}) ≠ {right[first]} ({b.channel})"
    )
    return PairScore((a.channel, b.channel), rbo_ext(left, right, p), why)


def measure(
    per_customer: Mapping[str, Sequence[float]],
    left_out: Mapping[str, int],
    *,
    binary: bool = False,
) -> Measured:
    """Mean per customer, then over customers (each weighs 1), with its interval."""
    means = [float(np.mean(per_customer[key])) for key in sorted(per_customer) if per_customer[key]]
    pairs = sum(len(scores) for scores in per_customer.values())
    if not means:
        return Measured(None, None, None, 0, 0, dict(left_out))
    score = float(np.mean(means))
    whole = binary and all(mean in (0.0, 1.0) for mean in means)
    low, high = wilson(sum(map(int, means)), len(means)) if whole else bootstrap(means)
    return Measured(score, low, high, len(means), pairs, dict(left_out))


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    centre = (successes + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(successes * (n - successes) / n + z * z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    sample = np.asarray(values)
    draws = np.random.default_rng(SEED).integers(0, len(sample), (DRAWS, len(sample)))
    low, high = np.quantile(sample[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def corrected(same: float, different: float) -> float:
    """The slate score freed of popularity: what remains above the overlap of two strangers."""
    if different >= 0.95:
        return 0.0
    return max(0.0, (same - different) / (1 - different))


def shop_score(dimensions: Mapping[str, Measured]) -> float | None:
    """Weighted geometric mean of the lower bounds of the dimensions that could be measured."""
    used = {
        name: m.low
        for name, m in dimensions.items()
        if m.low is not None and m.status != "not_measured"
    }
    if not used:
        return None
    if min(used.values()) <= 0:
        return 0.0
    total = sum(WEIGHTS[name] for name in used)
    return math.exp(sum(WEIGHTS[name] * math.log(low) for name, low in used.items()) / total)
