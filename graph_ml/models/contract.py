"""What every recommender can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cdp.domain.ranking import ProductSpace, Touch, fold_in
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
    """Fit on a split, then score every product for histories; vector models also give a space."""

    name: str
    parameters_used: dict[str, Any]

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None: ...

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores: ...

    def space(self) -> ProductSpace | None: ...


def space_scores(space: ProductSpace, histories: Sequence[Sequence[Touch]]) -> Scores:
    """Scores (n, P) exactly as serving computes them; a silent history scores 0 everywhere."""
    zero = np.zeros(space.vectors.shape[1], dtype=np.float32)
    vectors = np.stack([v if (v := fold_in(h, space)) is not None else zero for h in histories])
    scores: Scores = (vectors @ space.vectors.T).astype(np.float32)
    return scores
