"""LightGCN, inductive: customers have no table of their own, they are what they touched.

He et al. 2020 (propagation without transforms or non-linearities, mean over layers), with the
spectral start and the softmax loss that train it quickly. PyG's ``LGConv`` does the propagation
over a normalised CSR adjacency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import svds
from torch import Tensor, nn
from torch_geometric.nn import LGConv

from cdp.domain.ranking import Touch
from cdp.domain.voices import Vectors
from graph_ml.dataset import Split
from graph_ml.models.contract import ProductFeatures, Report, Scores, cosine
from graph_ml.training import Settings, to_csr, train


class LightGCN(nn.Module):
    """Parameters: product embeddings (P, d), a scale per product, a fold-in weight per product."""

    name = "lightgcn"

    def __init__(
        self, dimensions: int = 128, layers: int = 1, settings: Settings | None = None
    ) -> None:
        super().__init__()
        self.settings = settings or Settings()
        self.parameters_used: dict[str, Any] = {
            "dimensions": dimensions, "layers": layers, **self.settings.as_dict()
        }  # fmt: skip
        self.dimensions = dimensions
        self.layers = layers
        self.conv = LGConv(normalize=False)
        self._voice: Vectors | None = None

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        degree = np.asarray((data.matrix > 0).sum(axis=0), dtype=np.float32).ravel() + 1.0
        start = spectral_start(data.matrix, self.dimensions)
        self.embedding = nn.Parameter(torch.from_numpy(start))
        self.log_scale = nn.Parameter(torch.from_numpy(0.5 * np.log(degree)))
        self.log_fold = nn.Parameter(torch.from_numpy(-0.5 * np.log(degree)))
        self.adjacency = to_csr(_co_touch(data.matrix))
        vectors, folds = train(self, data, self.settings, report)
        self._voice = cosine(vectors, folds)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Product vectors (P, d) and fold-in weights (P,) relative to them."""
        layers: list[Tensor] = [self.embedding]
        for _ in range(self.layers):
            layers.append(self.conv(layers[-1], self.adjacency))
        mixed = torch.stack(layers).mean(dim=0)
        scale = self.log_scale.exp()
        return mixed * scale.unsqueeze(1), (self.log_fold - self.log_scale).exp()

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)

    def voice(self) -> Vectors:
        assert self._voice is not None, "fit() first"
        return self._voice


def normalised(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """D_c^(-1/2) A D_p^(-1/2) of the binary customers × products matrix."""
    binary = matrix.copy()
    binary.data = np.ones_like(binary.data)
    rows = np.asarray(binary.sum(axis=1)).ravel()
    columns = np.asarray(binary.sum(axis=0)).ravel()
    left = sparse.diags(1 / np.sqrt(np.maximum(rows, 1)))
    right = sparse.diags(1 / np.sqrt(np.maximum(columns, 1)))
    return (left @ binary @ right).tocsr().astype(np.float32)


def spectral_start(matrix: sparse.csr_matrix, dimensions: int) -> Scores:
    """Right singular vectors of the normalised matrix (P, d): the graph's smoothest signals."""
    count = min(dimensions, min(matrix.shape) - 1)
    if count < 1 or not matrix.nnz:
        return np.zeros((matrix.shape[1], dimensions), dtype=np.float32)
    start = np.ones(min(matrix.shape), dtype=np.float32)
    _, _, right = svds(normalised(matrix), k=count, v0=start)
    vectors = np.zeros((matrix.shape[1], dimensions), dtype=np.float32)
    vectors[:, :count] = right[::-1].T
    return vectors


def _co_touch(matrix: sparse.csr_matrix, keep: int = 50) -> sparse.csr_matrix:
    """Two hops, product to product through customers, the strongest ``keep`` of each product."""
    one = normalised(matrix)
    columns = one.tocsc()
    blocks = []
    for start in range(0, one.shape[1], 1000):
        block = (columns[:, start : start + 1000].T @ one).tocoo()
        order = np.lexsort((block.col, -block.data, block.row))
        row, column, value = block.row[order], block.col[order], block.data[order]
        place = np.arange(len(row)) - np.searchsorted(row, row, side="left")
        kept = place < keep
        shape = (block.shape[0], one.shape[1])
        blocks.append(sparse.csr_matrix((value[kept], (row[kept], column[kept])), shape=shape))
    return sparse.vstack(blocks).tocsr().astype(np.float32)
