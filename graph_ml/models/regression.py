"""Each product as a sum of others: what, beside all else that was touched, still speaks for it.

SLIM (Ning & Karypis 2011) with EASE's ridge in closed form (Steck 2019), each product explained by its
``neighbours`` nearest alone: one small system of equations a product instead of one of the
catalogue's size. Walks and neighbours count what says the same twice; a regression does not, so the
two are better together than either. Busy customers and popular products are damped as in a walk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cdp.domain.ranking import DECAY
from cdp.domain.voices import Lists, Voice, picked
from graph_ml.dataset import Split
from graph_ml.models.contract import ProductFeatures, Report
from graph_ml.models.tuned import Tuned

LONGEST = 200  # products of one customer that count: what many touch together grows as its square
TENTHS = 10


class Regression(Tuned):
    """``ridge``: how strong the evidence must be; ``asked``: popular products are asked for more."""

    name = "regression"
    GRID = {"asked": (0.0, 0.15, 0.25, 0.35), "decay": (0.4, 0.6, 0.8, 0.9, 1.0)}

    def __init__(self, neighbours: int = 100, ridge: float = 1.0) -> None:
        self.parameters_used: dict[str, Any] = {
            "neighbours": neighbours, "ridge": ridge, "customer": 0.5, "product": 0.25,
            "asked": 0.25, "decay": DECAY,
        }  # fmt: skip
        self._weights: sparse.csr_matrix = sparse.csr_matrix((0, 0))
        self._degree: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        used = self.parameters_used
        self._degree = np.maximum(np.asarray((data.matrix > 0).sum(axis=0)).ravel(), np.float32(1))
        together = _together(data.matrix, self._degree, used["customer"], used["product"])
        self._weights = _solved(
            together, self._degree, int(used["neighbours"]), used["ridge"], report
        )

    def voice(self) -> Voice:
        one = np.ones_like(self._degree)
        used = self.parameters_used
        return Lists(self._weights, one, self._degree ** used["asked"], used["decay"])


def _together(
    matrix: sparse.csr_matrix, degree: NDArray[np.float32], customer: float, product: float
) -> sparse.csr_matrix:
    """How often two products were touched together (P, P), damped; a product with itself as well."""
    found = matrix.tocsr().copy()
    for row in np.flatnonzero(np.diff(found.indptr) > LONGEST):
        part = slice(found.indptr[row], found.indptr[row + 1])
        least = np.argpartition(-found.data[part], LONGEST)[LONGEST:]  # the oldest say least
        found.data[part][least] = 0.0
    found.eliminate_zeros()
    found.data = np.ones_like(found.data)
    lengths = np.maximum(np.diff(found.indptr), 1)
    scaled = sparse.diags(lengths ** (-customer / 2)) @ found @ sparse.diags(degree**-product)
    scaled = scaled.tocsr().astype(np.float32)
    return (scaled.T.tocsr() @ scaled).tocsr()


def _solved(
    together: sparse.csr_matrix,
    degree: NDArray[np.float32],
    keep: int,
    ridge: float,
    report: Report,
) -> sparse.csr_matrix:
    """The weights (P, P), products explained in columns; none explains itself."""
    count = together.shape[0]
    damped = degree**-0.15
    rows, columns, values = [], [], []
    for product in range(count):
        part = slice(together.indptr[product], together.indptr[product + 1])
        near, strength = together.indices[part], together.data[part]
        other = near != product
        near, strength = near[other], strength[other]
        if len(near) > keep:
            best = np.argpartition(-strength * damped[near], keep)[:keep]
            near, strength = near[best], strength[best]
        if len(near):
            system = picked(together[near], near)
            system[np.diag_indices(len(near))] += np.float32(ridge)
            rows.append(near)
            columns.append(np.full(len(near), product, dtype=np.int32))
            values.append(np.linalg.solve(system, strength).astype(np.float32))
        if count >= 1000 and product % (count // TENTHS) == 0 and product:
            report(f"{product} of {count} products")
    if not rows:
        return sparse.csr_matrix((count, count), dtype=np.float32)
    where = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix((np.concatenate(values), where), shape=(count, count))
