"""What a customer's history says: touches, and how much each product touched counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

VERB_WEIGHT: Mapping[str, float] = {
    "viewed": 1.0, "added": 2.0, "purchased": 3.0, "returned": -2.0, "searched": 0.5,
}  # fmt: skip
DECAY = 0.9


class Touch(NamedTuple):
    """One interaction of a history: the product's index, the verb, and when (ms since 1970)."""

    product: int
    verb: str
    at: int


def history_weights(history: Iterable[Touch], decay: float = DECAY) -> dict[int, float]:
    """Each product's weight in a history: verbs add up, older touches count less by rank.

    What was touched at the same moment (a basket, or data without dates) has the same rank.
    """
    weights: dict[int, float] = {}
    places: dict[int, int] = {}
    before, moment = 0, None  # products met before this moment
    for touch in sorted(history, key=lambda t: (-t.at, t.product, t.verb)):
        if touch.at != moment:
            before, moment = len(places), touch.at
        place = places.setdefault(touch.product, before)
        weight = VERB_WEIGHT.get(touch.verb, 0.0) * decay**place
        weights[touch.product] = weights.get(touch.product, 0.0) + weight
    return {product: float(np.clip(w, -3.0, 6.0)) for product, w in weights.items()}
