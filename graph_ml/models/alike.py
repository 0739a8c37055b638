"""Customers alike: what those wanted whose touches are most like a customer's.

User-based k nearest neighbours by cosine (Resnick et al. 1994), popular products counting less in
the likeness. A customer is no neighbour of a history that is their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse

from cdp.domain.ranking import Touch
from graph_ml.dataset import Split, given
from graph_ml.models.contract import ProductFeatures, Report, Scores
from graph_ml.models.tuned import Tuned

OWN = 1 - 1e-5


class Alike(Tuned):
    """Keeps what every customer touched."""

    name = "alike"
    GRID = {"decay": (0.8, 0.9, 1.0), "neighbours": (50, 100, 200)}

    def __init__(self) -> None:
        self.parameters_used: dict[str, Any] = {"neighbours": 100, "decay": 0.9}
        self._touched: sparse.csr_matrix = sparse.csr_matrix((0, 0))
        self._scale: Any = sparse.csr_matrix((0, 0))
        self._unit: Any = sparse.csc_matrix((0, 0))

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        self._touched = (data.matrix > 0).astype(np.float32)
        degree = np.maximum(np.asarray(self._touched.sum(axis=0)).ravel(), np.float32(1))
        self._scale = sparse.diags(degree**-0.25)
        self._unit = _unit(self._touched @ self._scale).T.tocsr()

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        customers, products = self._touched.shape
        touched = given(histories, products, self.parameters_used["decay"])
        whole = _unit((touched > 0).astype(np.float32) @ self._scale)
        near = (_unit(touched @ self._scale) @ self._unit).toarray()
        near[(whole @ self._unit).toarray() > OWN] = 0
        count = min(int(self.parameters_used["neighbours"]), customers)
        value, place = torch.from_numpy(near).topk(count, dim=1)
        starts = np.arange(0, count * len(histories) + 1, count)
        picked = sparse.csr_matrix(
            (value.numpy().ravel(), place.numpy().ravel(), starts), shape=near.shape
        )
        found: Scores = (picked @ self._touched).toarray()
        return found


def _unit(matrix: Any) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = sparse.diags(1 / np.maximum(lengths, 1e-9))
    return (scale @ matrix).tocsr().astype(np.float32)
