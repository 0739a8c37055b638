"""Slates and vectors for every customer, from what a model learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdp.domain.slates import POPULAR, SLATE, Ranker, slates
from cdp.domain.variety import PLAIN, Variety
from graph_ml.dataset import Split
from graph_ml.models.contract import Scores

BLOCK = 256


@dataclass(frozen=True)
class Scored:
    """One customer's vector (d,), where the model has vectors, and slate."""

    customer: str
    vector: NDArray[np.float32] | None
    items: list[dict[str, Any]]


def score_customers(
    data: Split,
    ranker: Ranker,
    again: frozenset[int] = frozenset(),
    variety: Variety = PLAIN,
) -> Iterator[Scored]:
    """Everybody who touched anything; ``again``: products that one buys more than once."""
    vectors = ranker.space
    known = [n for n, history in enumerate(data.histories) if history]
    for start in range(0, len(known), BLOCK):
        part = known[start : start + BLOCK]
        histories = [data.histories[n] for n in part]
        found = vectors.customers(histories) if vectors else [None] * len(part)
        made = slates(ranker, histories, again=again, variety=variety)
        for n, vector, items in zip(part, found, made, strict=True):
            if items:
                yield Scored(data.customers[n], vector, items)


def strangers_slate(skus: Sequence[str], popularity: Scores) -> list[dict[str, Any]]:
    """For people of whom nothing is known yet: what most customers want."""
    top = np.argsort(-popularity, kind="stable")[:SLATE]
    highest = max(float(popularity.max()), 1e-9)
    return [
        {"sku": skus[int(n)], "score": round(float(popularity[n]) / highest, 6), "reason": dict(POPULAR)}
        for n in top
    ]  # fmt: skip
