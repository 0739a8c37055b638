"""What comes after what: products that followed within a few steps, the nearer counting more.

A customer's steps are moments, so that a basket is one step. A product d steps later counts 1/d;
counts are divided by the roots of both products' degrees, as a cosine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from cdp.domain.voices import Lists, Voice
from graph_ml.dataset import POSITIVE, Split
from graph_ml.models.contract import ProductFeatures, Report
from graph_ml.models.tuned import Tuned


class Transitions(Tuned):
    """``back``: what a product that came before counts, beside one that came after."""

    name = "transitions"
    GRID = {"decay": (0.4, 0.6, 0.8), "back": (0.0, 0.3, 1.0)}

    def __init__(self, steps: int = 5) -> None:
        self.parameters_used: dict[str, Any] = {"steps": steps, "decay": 0.6, "back": 0.3}
        self._after: sparse.csr_matrix = sparse.csr_matrix((0, 0))

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        customer, moments = _moments(data)
        after = sparse.csr_matrix((len(data.skus), len(data.skus)), dtype=np.float32)
        for distance in range(1, self.parameters_used["steps"] + 1):
            same = np.flatnonzero(customer[distance:] == customer[:-distance])
            if len(same):
                after = after + moments[same].T @ moments[same + distance] / distance
        degree = np.maximum(np.asarray(moments.sum(axis=0)).ravel(), 1.0)
        root = sparse.diags(degree**-0.5)
        self._after = (root @ after @ root).tocsr().astype(np.float32)

    def voice(self) -> Voice:
        used = self.parameters_used
        one = np.ones(self._after.shape[0], dtype=np.float32)
        return Lists(self._after, one, one, used["decay"], back=used["back"])


def _moments(data: Split) -> tuple[Any, sparse.csr_matrix]:
    """The customer of each moment, in order, and which products it held (moments × products)."""
    customers: list[int] = []
    rows: list[int] = []
    columns: list[int] = []
    for customer, history in enumerate(data.histories):
        moment = None
        for touch in sorted(history, key=lambda touch: (touch.at, touch.product)):
            if touch.verb not in POSITIVE:
                continue
            if touch.at != moment:
                moment = touch.at
                customers.append(customer)
            rows.append(len(customers) - 1)
            columns.append(touch.product)
    shape = (len(customers), len(data.skus))
    found = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    found.data[:] = 1.0
    return np.array(customers, dtype=np.int64), found
