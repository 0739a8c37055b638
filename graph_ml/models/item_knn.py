"""The baseline that knows neighbours: item-based k nearest neighbours by cosine.

Sarwar et al. 2001; with the shrinkage that most libraries add against rare pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from cdp.domain.ranking import ProductSpace, Touch, history_weights
from graph_ml.dataset import Split
from graph_ml.models.contract import ProductFeatures, Report, Scores

BLOCK = 1000


class ItemKNN:
    """Each product keeps its ``k`` most similar ones."""

    name = "item-knn"

    def __init__(self, k: int = 200, shrink: float = 10.0) -> None:
        self.parameters_used: dict[str, Any] = {"k": k, "shrink": shrink}
        self.similar: sparse.csr_matrix = sparse.csr_matrix((0, 0))

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        touched = data.matrix.copy()
        touched.data = np.ones_like(touched.data)
        columns = touched.tocsc()
        norms = np.sqrt(np.asarray(columns.sum(axis=0)).ravel())
        blocks = []
        for start in range(0, columns.shape[1], BLOCK):
            block = (columns[:, start : start + BLOCK].T @ touched).tocsr()
            blocks.append(self._nearest(block, norms, start))
        self.similar = sparse.vstack(blocks).tocsr()

    def _nearest(self, block: Any, norms: Any, start: int) -> Any:
        coo = block.tocoo()
        scale = norms[coo.row + start] * norms[coo.col] + self.parameters_used["shrink"]
        value = np.where(coo.row + start == coo.col, 0.0, coo.data / scale)
        order = np.lexsort((coo.col, -value, coo.row))
        row, column, value = coo.row[order], coo.col[order], value[order]
        place = np.arange(len(row)) - np.searchsorted(row, row, side="left")
        kept = (place < self.parameters_used["k"]) & (value > 0)
        shape = block.shape
        return sparse.csr_matrix((value[kept], (row[kept], column[kept])), shape=shape)

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        rows, columns, values = [], [], []
        for number, history in enumerate(histories):
            for product, weight in history_weights(history).items():
                rows.append(number)
                columns.append(product)
                values.append(weight)
        shape = (len(histories), self.similar.shape[0])
        given = sparse.csr_matrix((values, (rows, columns)), shape=shape, dtype=np.float32)
        scores: Scores = np.asarray((given @ self.similar).todense(), dtype=np.float32)
        return scores

    def space(self) -> ProductSpace | None:
        return None
