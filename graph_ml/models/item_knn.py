"""The baseline that knows neighbours: item-based k nearest neighbours by cosine.

Sarwar et al. 2001; with the shrinkage that most libraries add against rare pairs. How many
neighbours and how much shrinkage is chosen on the last part of the training period: a baseline
that nobody tuned would be no bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from scipy import sparse

from cdp.domain.ranking import Touch
from cdp.domain.voices import Lists, Voice
from graph_ml.dataset import Split, later_part
from graph_ml.metrics import evaluate
from graph_ml.models.contract import ProductFeatures, Report, Scores

BLOCK = 1000
NEIGHBOURS = (50, 200)
SHRINKAGE = (0.0, 10.0, 50.0)


class ItemKNN:
    """Each product keeps its ``k`` most similar ones."""

    name = "item-knn"

    def __init__(self) -> None:
        self.parameters_used: dict[str, Any] = {"k": NEIGHBOURS[-1], "shrink": SHRINKAGE[1]}
        self.similar: sparse.csr_matrix = sparse.csr_matrix((0, 0))

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        past = later_part(data)
        best = -1.0
        for k, shrink in product(NEIGHBOURS, SHRINKAGE) if past.targets else ():
            self.similar = _similar(past.matrix, k, shrink)
            figures = evaluate(lambda batch: self.scores([past.histories[n] for n in batch]), past)
            report(f"k {k} shrink {shrink}: validation recall {figures['recall@20']:.4f}")
            if figures["recall@20"] > best:
                best = figures["recall@20"]
                self.parameters_used = {"k": k, "shrink": shrink}
        self.similar = _similar(data.matrix, **self.parameters_used)

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)

    def voice(self) -> Voice:
        one = np.ones(self.similar.shape[0], dtype=np.float32)
        return Lists(self.similar, one, one)


def _similar(matrix: sparse.csr_matrix, k: int, shrink: float) -> sparse.csr_matrix:
    """The cosine of each product with its ``k`` nearest ones (P, P), block by block."""
    touched = matrix.copy()
    touched.data = np.ones_like(touched.data)
    columns = touched.tocsc()
    norms = np.sqrt(np.asarray(columns.sum(axis=0)).ravel())
    blocks = []
    for start in range(0, columns.shape[1], BLOCK):
        block = (columns[:, start : start + BLOCK].T @ touched).tocsr()
        blocks.append(_nearest(block, norms, start, k, shrink))
    return sparse.vstack(blocks).tocsr()


def _nearest(block: Any, norms: Any, start: int, k: int, shrink: float) -> Any:
    coo = block.tocoo()
    scale = norms[coo.row + start] * norms[coo.col] + shrink
    value = np.where(coo.row + start == coo.col, 0.0, coo.data / scale)
    order = np.lexsort((coo.col, -value, coo.row))
    row, column, value = coo.row[order], coo.col[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, row, side="left")
    kept = (place < k) & (value > 0)
    return sparse.csr_matrix((value[kept], (row[kept], column[kept])), shape=block.shape)
