"""Full-ranking metrics on held-out time; what a customer already had is masked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from graph_ml.dataset import Split

Scores = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
K = 20
BATCH = 512


@dataclass(frozen=True)
class Judged:
    """What n customers were shown and what they wanted: ``top`` (n, k) products, which of them were
    wanted (``hits``), and how many were ``wanted`` in all (n,); customers by index, in order."""

    customers: Sequence[int]
    top: Ints
    hits: NDArray[np.bool_]
    wanted: Ints

    def recall(self, k: int = K) -> Floats:
        return _floats(self.hits[:, :k].sum(axis=1)) / _floats(np.maximum(self.wanted, 1))

    def precision(self, k: int = K) -> Floats:
        return _floats(self.hits[:, :k].sum(axis=1)) / k

    def hit(self, k: int = K) -> Floats:
        return _floats(self.hits[:, :k].any(axis=1))

    def mrr(self, k: int = K) -> Floats:
        """One over the rank of the first product that was wanted."""
        first = self.hits[:, :k].argmax(axis=1)
        return self.hit(k) / _floats(first + 1)

    def ndcg(self, k: int = K) -> Floats:
        """Binary gains, log2 discount (Järvelin & Kekäläinen 2002)."""
        k = min(k, self.hits.shape[1])
        discounts = 1 / np.log2(np.arange(2, k + 2))
        ideal = discounts.cumsum()[np.clip(self.wanted, 1, k) - 1]
        found: Floats = (self.hits[:, :k] @ discounts) / ideal
        return found

    def exposures(self, products: int) -> Ints:
        """How often each product was shown (P,)."""
        found: Ints = np.bincount(self.top.ravel(), minlength=products)
        return found


def evaluate(scores: Callable[[list[int]], Scores], data: Split, k: int = K) -> dict[str, float]:
    """recall@k, ndcg@k and coverage@k (share of products shown), means over customers.

    ``scores`` gives an (n, P) array for n customer indices.
    """
    found = judged(scores, data, k)
    shown = np.count_nonzero(found.exposures(len(data.skus)))
    return {
        f"recall@{k}": mean(found.recall(k)),
        f"ndcg@{k}": mean(found.ndcg(k)),
        f"coverage@{k}": shown / len(data.skus),
        "customers": float(len(found.customers)),
    }


def judged(scores: Callable[[list[int]], Scores], data: Split, k: int = K) -> Judged:
    """Ask ``scores`` for every customer who has something new, and keep the ``k`` best."""
    customers = sorted(data.targets)
    most = min(k, len(data.skus))
    tops, hits = [np.zeros((0, most), np.int64)], [np.zeros((0, most), bool)]
    for start in range(0, len(customers), BATCH):
        batch = customers[start : start + BATCH]
        top = ranked(scores(batch), [data.had(customer) for customer in batch], most)
        wanted = [data.targets[customer] for customer in batch]
        tops.append(top)
        hits.append(
            np.array(
                [[item in asked for item in row.tolist()] for asked, row in zip(wanted, top, strict=True)]
            )
        )  # fmt: skip
    sizes = np.array([len(data.targets[customer]) for customer in customers], dtype=np.int64)
    return Judged(customers, np.concatenate(tops), np.concatenate(hits), sizes)


def ranked(scores: Scores, without: Sequence[Collection[int]], k: int) -> Ints:
    """The ``k`` products of greatest score in each row (n, k); ``without`` and what is no number last."""
    scores = np.nan_to_num(scores, copy=True, nan=-np.inf)
    for row, products in zip(scores, without, strict=True):
        row[list(products)] = -np.inf
    found = torch.topk(torch.from_numpy(scores), k, dim=1).indices.numpy()
    top = np.sort(found, axis=1)
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def _floats(values: object) -> Floats:
    return np.asarray(values, dtype=np.float64)


def mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def interval(values: Floats, share: float = 0.95, draws: int = 1000) -> tuple[float, float]:
    """Bootstrap confidence interval of the mean over customers (Efron's percentiles)."""
    if not len(values):
        return 0.0, 0.0
    dice = np.random.default_rng(7)
    means = [values[dice.integers(0, len(values), len(values))].mean() for _ in range(draws)]
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
