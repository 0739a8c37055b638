"""The graph's smoothest signals, where several models start."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from graph_ml.models.contract import Scores


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
    """Right singular vectors of the normalised matrix (P, d), the strongest first."""
    return _decomposed(matrix, dimensions)[2]


def spectral_pair(matrix: sparse.csr_matrix, dimensions: int) -> tuple[Scores, Scores]:
    """Embeddings of customers (N, d) and products (P, d) whose inner products are the normalised
    matrix as well as d signals can say it."""
    left, strength, right = _decomposed(matrix, dimensions)
    return left * np.sqrt(strength), right * np.sqrt(strength)


def _decomposed(matrix: sparse.csr_matrix, dimensions: int) -> tuple[Scores, Scores, Scores]:
    """Singular vectors and values; dimensions that the matrix does not have are zero."""
    left = np.zeros((matrix.shape[0], dimensions), dtype=np.float32)
    right = np.zeros((matrix.shape[1], dimensions), dtype=np.float32)
    strength = np.zeros(dimensions, dtype=np.float32)
    count = min(dimensions, min(matrix.shape) - 1)
    if count >= 1 and matrix.nnz:
        start = np.ones(min(matrix.shape), dtype=np.float32)
        u, s, v = svds(normalised(matrix), k=count, v0=start)
        left[:, :count], strength[:count], right[:, :count] = u[:, ::-1], s[::-1], v[::-1].T
    return left, strength, right
