"""Full-ranking metrics on held-out time; what a customer already had is masked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from graph_ml.dataset import Split

Scores = NDArray[np.float32]
Floats = NDArray[np.float64]
K = 20
BATCH = 512


def evaluate(scores: Callable[[list[int]], Scores], data: Split, k: int = K) -> dict[str, float]:
    """recall@k, ndcg@k (binary gains, log2 discount) and coverage@k (share of products shown).

    ``scores`` gives an (n, P) array for n customer indices; the means are over customers.
    """
    per_customer, shown = judged(scores, data, k)
    means = {f"{name}@{k}": 0.0 for name in ("recall", "ndcg")}
    means |= {name: float(values.mean()) for name, values in per_customer.items()}
    return {
        **means,
        f"coverage@{k}": len(shown) / len(data.skus),
        "customers": float(len(data.targets)),
    }


def judged(
    scores: Callable[[list[int]], Scores], data: Split, k: int = K, also: Sequence[int] = ()
) -> tuple[dict[str, Floats], set[int]]:
    """recall@k and ndcg@k of each customer asked for, in the order of their indices (``also``: at
    smaller k), and the products that anybody was shown."""
    customers = sorted(data.targets)
    most = min(k, len(data.skus))
    found: dict[str, list[Floats]] = {}
    shown: set[int] = set()
    for start in range(0, len(customers), BATCH):
        batch = customers[start : start + BATCH]
        top = ranked(scores(batch), [data.had(customer) for customer in batch], most)
        shown.update(top.ravel().tolist())
        wanted = [data.targets[customer] for customer in batch]
        hits = np.array(
            [[int(item) in asked for item in row] for asked, row in zip(wanted, top, strict=True)]
        )
        for at in (k, *also):
            for name, values in _of_hits(hits[:, :at], np.array([len(w) for w in wanted])).items():
                found.setdefault(f"{name}@{at}", []).append(values)
    return {name: np.concatenate(parts) for name, parts in found.items()}, shown


def _of_hits(hits: NDArray[np.bool_], wanted: NDArray[np.int64]) -> dict[str, Floats]:
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = discounts.cumsum()[np.minimum(wanted, hits.shape[1]) - 1]
    return {"recall": hits.sum(axis=1) / wanted, "ndcg": (hits @ discounts) / ideal}


def ranked(scores: Scores, without: Sequence[Collection[int]], k: int) -> NDArray[np.int64]:
    """The ``k`` products of greatest score in each row (n, k); ``without`` and what is no number last."""
    scores = np.nan_to_num(scores, copy=True, nan=-np.inf)
    for row, products in zip(scores, without, strict=True):
        row[list(products)] = -np.inf
    found = torch.topk(torch.from_numpy(scores), k, dim=1).indices.numpy()
    top = np.sort(found, axis=1)
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def interval(values: Floats, share: float = 0.95, draws: int = 1000) -> tuple[float, float]:
    """Bootstrap confidence interval of the mean over customers (Efron's percentiles)."""
    if not len(values):
        return 0.0, 0.0
    dice = np.random.default_rng(7)
    means = [values[dice.integers(0, len(values), len(values))].mean() for _ in range(draws)]
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
