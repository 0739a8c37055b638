"""Full-ranking metrics on held-out time; what a customer already had is masked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from graph_ml.dataset import Split

Scores = NDArray[np.float32]
K = 20
BATCH = 512


def evaluate(scores: Callable[[list[int]], Scores], data: Split, k: int = K) -> dict[str, float]:
    """recall@k, ndcg@k (binary gains, log2 discount) and coverage@k (share of products shown).

    ``scores`` gives an (n, P) array for n customer indices; the means are over customers.
    """
    customers = sorted(data.targets)
    name, k = k, min(k, len(data.skus))
    discounts = 1 / np.log2(np.arange(2, k + 2))
    recalls: list[float] = []
    gains: list[float] = []
    shown: set[int] = set()
    for start in range(0, len(customers), BATCH):
        batch = customers[start : start + BATCH]
        for customer, row in zip(batch, scores(batch).copy(), strict=True):
            row[[touch.product for touch in data.histories[customer]]] = -np.inf
            top = np.argpartition(-row, k - 1)[:k]
            top = top[np.lexsort((top, -row[top]))]
            wanted = data.targets[customer]
            hits = np.array([int(item) in wanted for item in top])
            ideal = discounts[: min(len(wanted), k)].sum()
            recalls.append(float(hits.sum() / len(wanted)))
            gains.append(float((hits * discounts).sum() / ideal))
            shown.update(int(item) for item in top)
    return {
        f"recall@{name}": float(np.mean(recalls)) if recalls else 0.0,
        f"ndcg@{name}": float(np.mean(gains)) if gains else 0.0,
        f"coverage@{name}": len(shown) / len(data.skus),
        "customers": float(len(customers)),
    }
