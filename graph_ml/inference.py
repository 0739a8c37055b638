"""Vectors, slates and reasons for every customer, from an artifact's product space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdp.domain.ranking import ProductSpace, Touch, because, best, fold_in
from graph_ml.dataset import Split
from graph_ml.models.contract import Scores

SLATE = 50


@dataclass(frozen=True)
class Scored:
    """One customer's vector (d,) and slate."""

    customer: str
    vector: NDArray[np.float32]
    items: list[dict[str, Any]]


def score_customers(data: Split, space: ProductSpace) -> Iterator[Scored]:
    for customer, history in zip(data.customers, data.histories, strict=True):
        vector = fold_in(history, space)
        if vector is None:
            continue
        owned = {touch.product for touch in history if touch.verb in ("purchased", "returned")}
        items = [
            {
                "sku": space.skus[product],
                "score": round(score, 6),
                "reason": _reason(product, history, space),
            }
            for product, score in best(vector, space, owned, SLATE)
        ]
        yield Scored(customer, vector, items)


def strangers_slate(skus: Sequence[str], popularity: Scores) -> list[dict[str, Any]]:
    """For people of whom nothing is known yet: what most customers want."""
    top = np.argsort(-popularity, kind="stable")[:SLATE]
    reason = {"kind": "popular", "text": "popular with our customers"}
    highest = max(float(popularity.max()), 1e-9)
    return [
        {"sku": skus[int(n)], "score": round(float(popularity[n]) / highest, 6), "reason": reason}
        for n in top
    ]


def _reason(product: int, history: Sequence[Touch], space: ProductSpace) -> dict[str, Any]:
    touch = because(product, history, space)
    if touch is None:
        return {"kind": "popular", "text": "popular with our customers"}
    sku = space.skus[touch.product]
    text = f"because you {touch.verb} {sku}"
    return {"kind": "touch", "verb": touch.verb, "sku": sku, "text": text}
