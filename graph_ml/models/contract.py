"""What every recommender can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cdp.domain.ranking import Touch
from cdp.domain.voices import Vectors, Voice
from graph_ml.dataset import Split

Scores = NDArray[np.float32]
Report = Callable[[str], None]


def _nothing() -> NDArray[np.float32]:
    return np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class ProductFeatures:
    """What is known of products beside who touched them: text vectors (P, t), category (P,).

    ``price`` (P, 2): the standardised logarithm and whether it is known; ``image`` (P, i): unit rows,
    0 where there is no picture; both without columns where the catalogue holds none. ``queries``: the
    text vectors (t,) of what was searched for.
    """

    text: NDArray[np.float32]
    category: NDArray[np.int64]
    categories: int
    price: NDArray[np.float32] = field(default_factory=_nothing)
    image: NDArray[np.float32] = field(default_factory=_nothing)
    queries: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


class Recommender(Protocol):
    """Fit on a split, then score every product for histories; ``voice`` is what serves."""

    name: str
    parameters_used: dict[str, Any]

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None: ...

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores: ...

    def voice(self) -> Voice: ...


def cosine(vectors: Scores, folds: Scores) -> Vectors:
    """What models of product vectors (P, d) leave behind: a customer is the unit sum of what they
    touched, a touch counting ``folds`` (P,) times its product's vector."""
    return Vectors(vectors, folds, np.ones(len(vectors), dtype=np.float32), unit=True)
