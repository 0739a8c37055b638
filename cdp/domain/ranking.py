"""From a customer's history to a slate: the inductive step and the ranking, in plain numpy.

No training happens here: an artifact gives each product a vector and a fold-in weight, and a
customer's vector follows from the products touched. So a new event changes a slate without a
model run, and the web side needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

VERB_WEIGHT: Mapping[str, float] = {
    "viewed": 1.0, "added": 2.0, "purchased": 3.0, "returned": -2.0, "searched": 0.5,
}  # fmt: skip
DECAY = 0.9


class Touch(NamedTuple):
    """One interaction of a history: the product's index, the verb, and when (ms since 1970)."""

    product: int
    verb: str
    at: int


@dataclass(frozen=True)
class ProductSpace:
    """What an artifact knows of products: ``vectors`` (P, d), ``fold_weights`` (P,), and skus."""

    skus: Sequence[str]
    vectors: Vector
    fold_weights: Vector

    @property
    def index(self) -> dict[str, int]:
        return {sku: n for n, sku in enumerate(self.skus)}


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


def fold_in(history: Iterable[Touch], space: ProductSpace) -> Vector | None:
    """The unit vector (d,) of a customer with this history; None when it says nothing."""
    weights = history_weights(history)
    if not weights:
        return None
    products = np.fromiter(weights, dtype=np.int64)
    factors = np.fromiter(weights.values(), dtype=np.float32) * space.fold_weights[products]
    vector = factors @ space.vectors[products]
    norm = float(np.linalg.norm(vector))
    return None if norm < 1e-9 else (vector / norm).astype(np.float32)


def best(
    vector: Vector, space: ProductSpace, without: Iterable[int], count: int
) -> list[tuple[int, float]]:
    """The ``count`` products of greatest inner product, ties by index; ``without`` left out."""
    scores = space.vectors @ vector
    scores[list(without)] = -np.inf
    count = min(count, len(scores))
    top = np.argpartition(-scores, count - 1)[:count] if count < len(scores) else np.arange(count)
    ordered = sorted(((int(i), float(scores[i])) for i in top), key=lambda row: (-row[1], row[0]))
    return [row for row in ordered if np.isfinite(row[1])]


def because(item: int, history: Iterable[Touch], space: ProductSpace) -> Touch | None:
    """The touch that speaks most for an item: the largest share of its score."""
    shares: dict[int, float] = {}
    touches = {touch.product: touch for touch in sorted(history, key=lambda t: t.at)}
    for product, weight in history_weights(touches.values()).items():
        shares[product] = weight * float(
            space.fold_weights[product] * (space.vectors[product] @ space.vectors[item])
        )
    if not shares:
        return None
    strongest = max(sorted(shares), key=lambda product: shares[product])
    return touches[strongest] if shares[strongest] > 0 else None
