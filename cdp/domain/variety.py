"""What a slate shows beside the best: products that differ, and some to find out about.

Diversity is maximal marginal relevance (Carbonell & Goldstein 1998) with the cosine of the products'
learned vectors. Exploration gives every n-th place to a product that ranked too low to be shown; who
gets which follows from their history alone, so a slate is the same on every channel and stays until
the customer acts or something new is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from cdp.domain.ranking import Touch
from cdp.domain.voices import Floats, Ints

DEEPER = 200  # ranks below the slate that are explored
MINUTE = 60_000
WIDER = 2  # so many times the slate may be shown for the sake of diversity


@dataclass(frozen=True)
class Variety:
    """``diversity``: how much of a place's worth is being unlike what stands above it, 0 to 1;
    ``exploration``: the share of places that find something out, 0 to 1."""

    diversity: float = 0.0
    exploration: float = 0.0

    def depth(self, count: int) -> int:
        """How many products must be ranked for a slate of ``count``."""
        wide = WIDER * count if self.diversity else count
        return max(wide, count + DEEPER) if self.exploration else wide


PLAIN = Variety()


def diversified(ranked: Ints, scores: Floats, alike: Floats, weight: float, count: int) -> Ints:
    """The ``count`` of ``ranked`` products (best first) that are good and unlike each other.

    ``scores`` (P,) are brought to 0…1 over what is ranked; ``alike`` (P, d) holds unit rows. The best
    product stays first; ties go to the better rank.
    """
    if len(ranked) < 3 or weight <= 0:
        return ranked[:count]
    rows, value = alike[ranked], scores[ranked].astype(np.float64)
    worth = (value - value[-1]) / max(float(value[0] - value[-1]), 1e-12)
    open_, nearest = np.ones(len(ranked), dtype=bool), np.full(len(ranked), -1.0)
    chosen = [0]
    while len(chosen) < min(count, len(ranked)):
        open_[chosen[-1]] = False
        nearest = np.maximum(nearest, rows @ rows[chosen[-1]])
        marginal = (1 - weight) * worth - weight * nearest
        chosen.append(int(np.where(open_, marginal, -np.inf).argmax()))
    found: Ints = ranked[np.array(chosen)]
    return found


def explored(
    shown: Ints, deeper: Ints, share: float, history: Sequence[Touch]
) -> tuple[Ints, set[int]]:
    """``shown`` with every 1/share-th place given to one of ``deeper``, and which products those are.

    The draw is the same for the same history, to the minute: stores round what is finer each in
    their own way.
    """
    places = [n for n in range(len(shown)) if int((n + 1) * share) > int(n * share)]
    if not places or not len(deeper):
        return shown, set()
    told = ",".join(
        f"{touch.product}:{touch.verb}:{touch.at // MINUTE}" for touch in sorted(history)
    )
    dice = np.random.default_rng(crc32(told.encode()))
    drawn = dice.permutation(deeper)[: len(places)]
    found = shown.tolist()
    for place, product in zip(places, drawn.tolist(), strict=False):
        found.insert(place, product)
    return np.array(found[: len(shown)], dtype=np.int64), set(drawn.tolist())
