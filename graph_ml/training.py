"""The one training loop: hide part of each history, ask for the hidden part, softmax over products."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize

from graph_ml.dataset import Split
from graph_ml.device import choose

Floats = NDArray[np.float32]
torch.sparse.check_sparse_tensor_invariants.disable()  # type: ignore[no-untyped-call]  # scipy's matrices are sound; said, not implied
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", module=__name__)


@dataclass(frozen=True)
class Settings:
    """``hidden``: the share of a history that is asked for; ``temperature`` of the softmax."""

    epochs: int = 30
    batch: int = 512
    learning_rate: float = 0.002
    weight_decay: float = 1e-4
    temperature: float = 0.15
    hidden: float = 0.4
    patience: int = 4
    seed: int = 7

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def train(
    model: nn.Module, data: Split, settings: Settings, report: Callable[[str], None]
) -> tuple[Floats, Floats]:
    """Train ``model`` whose forward gives product vectors (P, d) and fold-in weights (P,).

    A tenth of the customers is held out (from the training period alone): training stops when the
    loss of *their* hidden touches no longer falls, and the best state is kept. Returns its vectors
    and weights.
    """
    torch.manual_seed(settings.seed)
    dice = np.random.default_rng(settings.seed)
    device = choose()
    model.to(device)
    busy = np.flatnonzero(np.diff(data.matrix.indptr) >= 2)
    dice.shuffle(busy)
    held, taught = busy[: max(1, len(busy) // 10)], busy[max(1, len(busy) // 10) :]
    optimiser = torch.optim.Adam(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    probe = list(_batches(data.matrix, held, settings, np.random.default_rng(settings.seed + 1)))
    best_loss, waited = _loss_on(model, probe, settings), 0
    best = _result(model)
    for epoch in range(settings.epochs):
        total, count = 0.0, 0
        for given, asked in _batches(data.matrix, taught, settings, dice):
            optimiser.zero_grad()
            vectors, folds = model()
            loss = _loss(vectors, folds, to_csr(given), asked, settings)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total, count = total + loss.item(), count + 1
        held_loss = _loss_on(model, probe, settings)
        mean = total / max(1, count)
        report(f"epoch {epoch + 1}/{settings.epochs} loss {mean:.4f} held out {held_loss:.4f}")
        if held_loss < best_loss - 1e-4:
            best_loss, waited, best = held_loss, 0, _result(model)
        else:
            waited += 1
            if waited >= settings.patience:
                break
    return best


def _batches(
    matrix: sparse.csr_matrix,
    customers: NDArray[np.int64],
    settings: Settings,
    dice: np.random.Generator,
) -> Iterator[tuple[sparse.csr_matrix, Tensor]]:
    """(visible part as a matrix, hidden part as a dense target distribution) per batch."""
    order = dice.permutation(customers)
    for start in range(0, len(order), settings.batch):
        part = matrix[order[start : start + settings.batch]]
        hide = dice.random(part.nnz) < settings.hidden
        lengths = np.diff(part.indptr)
        row = np.repeat(np.arange(part.shape[0]), lengths)
        given, asked = part.copy(), part.copy()
        given.data = np.where(hide, 0.0, part.data).astype(np.float32)
        asked.data = np.where(hide, 1.0, 0.0).astype(np.float32)
        given.eliminate_zeros()
        asked.eliminate_zeros()
        useful = (np.diff(given.indptr) > 0) & (np.bincount(row, hide, part.shape[0]) > 0)
        if useful.any():
            yield given[useful], torch.from_numpy(asked[useful].toarray())


def _loss(
    vectors: Tensor, folds: Tensor, given: Tensor, asked: Tensor, settings: Settings
) -> Tensor:
    """Cross-entropy of the hidden touches; what was visible is not asked for."""
    customers = normalize(given.to(vectors.device) @ (vectors * folds.unsqueeze(1)))
    logits = customers @ vectors.T / settings.temperature
    visible = given.to_dense().to(vectors.device) > 0
    logits = logits.masked_fill(visible, float("-inf"))
    target = asked.to(vectors.device)
    likely = log_softmax(logits, dim=1).masked_fill(visible, 0.0)
    return -(likely * target).sum(dim=1).div(target.sum(dim=1)).mean()


@torch.no_grad()
def _loss_on(
    model: nn.Module, batches: list[tuple[sparse.csr_matrix, Tensor]], settings: Settings
) -> float:
    vectors, folds = model()
    losses = [
        _loss(vectors, folds, to_csr(given), asked, settings).item() for given, asked in batches
    ]
    return float(np.mean(losses)) if losses else float("inf")


@torch.no_grad()
def _result(model: nn.Module) -> tuple[Floats, Floats]:
    vectors, folds = model()
    return vectors.float().cpu().numpy().copy(), folds.float().cpu().numpy().copy()


def to_csr(matrix: sparse.csr_matrix) -> Tensor:
    """A scipy matrix as a torch CSR tensor on the chosen device."""
    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int64)),
        torch.from_numpy(matrix.indices.astype(np.int64)),
        torch.from_numpy(matrix.data.astype(np.float32)),
        size=matrix.shape,
    ).to(choose())
