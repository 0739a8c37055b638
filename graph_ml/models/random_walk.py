"""Three steps from product to customer to product, the popular ones passed less often.

RP3beta (Paudel et al. 2016) with an exponent for each side: what a customer touched leads to who
else touched it (a busy customer says less, ``customer``) and to what they touched (``given`` damps
popular products of the history, ``asked`` those at the end). Exponents of 1, 1/2 and 1/2 are the
linear filter of GF-CF; on real data other ones rank much better, and are chosen on the last part of
the training period.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cdp.domain.ranking import DECAY
from cdp.domain.voices import Lists, Voice
from graph_ml.dataset import Split
from graph_ml.models.contract import ProductFeatures, Report
from graph_ml.models.tuned import Tuned

BLOCK = 1000


class RandomWalk(Tuned):
    """Each product keeps the ``keep`` it leads to most."""

    name = "random-walk"
    GRID = {
        "customer": (0.5, 0.75, 1.0, 1.25),
        "given": (0.3, 0.5, 0.7),
        "asked": (0.2, 0.3, 0.4, 0.5),
        "decay": (0.6, 0.8, 0.9, 1.0),
        "keep": (100, 300, 1000),
    }

    def __init__(self, keep: int = 300) -> None:
        self.parameters_used: dict[str, Any] = {
            "customer": 0.75, "given": 0.5, "asked": 0.3, "decay": DECAY, "keep": keep,
        }  # fmt: skip
        self._walks: tuple[Any, sparse.csr_matrix] = (None, sparse.csr_matrix((0, 0)))
        self._degree: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        degree = np.asarray((data.matrix > 0).sum(axis=0), dtype=np.float32).ravel()
        self._degree = np.maximum(degree, np.float32(1))
        self._walks = (None, sparse.csr_matrix((0, 0)))
        self.prepare(data)

    def prepare(self, data: Split) -> None:
        asked = self.parameters_used["customer"], self.parameters_used["keep"]
        if self._walks[0] != asked:
            self._walks = asked, co_touch(data.matrix, *asked)

    def voice(self) -> Voice:
        used = self.parameters_used
        given, asked = (self._degree ** -used[name] for name in ("given", "asked"))
        return Lists(self._walks[1], given, asked, used["decay"])


def co_touch(matrix: sparse.csr_matrix, exponent: float, keep: int) -> sparse.csr_matrix:
    """How often two products were touched by the same customer (P, P), a customer of n products
    counting n^-exponent; of each product the ``keep`` that stand out most, block by block."""
    binary = matrix.copy()
    binary.data = np.ones_like(binary.data)
    lengths = np.maximum(np.diff(binary.indptr), 1)
    one = (sparse.diags(lengths ** (-exponent / 2)) @ binary).tocsr().astype(np.float32)
    damped = np.maximum(np.asarray(binary.sum(axis=0)).ravel(), 1.0) ** -0.4
    columns = one.tocsc()
    blocks = [
        _strongest((columns[:, start : start + BLOCK].T @ one).tocsr(), damped, keep)
        for start in range(0, one.shape[1], BLOCK)
    ]
    return sparse.vstack(blocks).tocsr()


def _strongest(block: sparse.csr_matrix, damped: Any, keep: int) -> sparse.csr_matrix:
    kept = np.ones(block.nnz, dtype=bool)
    for row in np.flatnonzero(np.diff(block.indptr) > keep):
        part = slice(block.indptr[row], block.indptr[row + 1])
        value = block.data[part] * damped[block.indices[part]]
        kept[part] = False
        kept[block.indptr[row] + np.argpartition(-value, keep)[:keep]] = True
    block.data[~kept] = 0.0
    block.eliminate_zeros()
    return block
