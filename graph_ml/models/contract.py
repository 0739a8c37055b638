"""What every recommender can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cdp.domain.ranking import Touch
from cdp.domain.voices import Vectors, Voice
from graph_ml.dataset import Split

Scores = NDArray[np.float32]
Report = Callable[[str], None]


@dataclass(frozen=True)
class ProductFeatures:
    """What is known of products beside who touched them: text vectors (P, t), category (P,)."""

    text: NDArray[np.float32]
    category: NDArray[np.int64]
    categories: int


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
