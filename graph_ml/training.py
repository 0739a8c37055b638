"""The one training loop: batches, early stopping by held-out customers, a checkpoint an epoch.

Where a model brings no loss of its own, part of each history is hidden and asked for, by a softmax
over all products.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize

from cdp.errors import CDPError
from graph_ml import distributed
from graph_ml.checkpoints import checkpoint, dice_state, set_dice
from graph_ml.dataset import Split
from graph_ml.device import choose, compiled, half_precision

Floats = NDArray[np.float32]
K = 20
MOST_HELD = 1000
torch.sparse.check_sparse_tensor_invariants.disable()  # type: ignore[no-untyped-call]  # scipy's matrices are sound; said, not implied
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", module=__name__)


@dataclass(frozen=True)
class Settings:
    """``hidden``: the share of a history that is asked for; ``sharpness``: the logit that the best
    product of a history has at the start (the scale of the softmax is learned from there).
    """

    epochs: int = 30
    batch: int = 512
    learning_rate: float = 0.002
    weight_decay: float = 1e-4
    sharpness: float = 8.0
    hidden: float = 0.4
    patience: int = 4
    seed: int = 7

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def train(
    model: nn.Module, data: Split, settings: Settings, report: Callable[[str], None]
) -> tuple[Floats, Floats]:
    """Train ``model`` whose forward gives product vectors (P, d) and fold-in weights (P,).

    A tenth of the customers, at most a thousand, is held out (from the training period alone): training stops when the
    ndcg@20 of *their* hidden touches no longer rises, and the best state is kept, which on sparse
    data may be the one before any training. (Their loss is a poor judge: it falls on while the
    ranking gets worse.) Returns the best state's vectors and weights; the model's ``curve`` holds
    ``{"epoch", "loss", "ndcg"}`` of every epoch. Inside ``checkpoints.kept_in`` a killed training
    goes on after its last whole epoch, and ends as it would have ended undisturbed.

    Raises:
        CDPError: ``not_a_number`` where the loss is none (features that hold NaN, a step too long).
    """
    return _Training(model, data, settings, report).run()


class _Training:
    """One training; what it needs to go on is ``state``."""

    def __init__(
        self, model: nn.Module, data: Split, settings: Settings, report: Callable[[str], None]
    ) -> None:
        torch.manual_seed(settings.seed)
        self.dice = np.random.default_rng(settings.seed)
        self.model, self.data, self.settings, self.report = model, data, settings, report
        model.to(choose())
        self.forward = compiled(model, choose())
        busy = np.flatnonzero(np.diff(data.matrix.indptr) >= 2)
        self.dice.shuffle(busy)
        few = min(MOST_HELD, max(1, len(busy) // 10))
        held, self.taught = busy[:few], busy[few:]
        told: Any = getattr(model, "taught", None)  # whose touches may be looked at, if it asks
        if told is not None:
            told(self.taught)
        probing = np.random.default_rng(settings.seed + 1)
        self.probe = list(_batches(data.matrix, held, settings, probing))
        self.log_scale = nn.Parameter(_first_scale(model, self.probe, settings))
        self.optimiser = torch.optim.Adam(
            [*model.parameters(), self.log_scale],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.curve: list[dict[str, float]] = []
        self.most, self.waited, self.best = -1.0, 0, _result(model)
        parameters: dict[str, Any] = getattr(model, "parameters_used", settings.as_dict())
        known: Any = getattr(model, "known", list)  # what it learns from beside who touched what
        self.kept = checkpoint(str(getattr(model, "name", "model")), parameters, data, known())

    def run(self) -> tuple[Floats, Floats]:
        stored = self.kept.load()
        if distributed.processes() > 1:
            stored = distributed.of_leader(stored or self._state())
        if stored is not None and stored["curve"]:
            self._restore(stored)
        else:
            self.most = _ndcg_on(self.model, self.probe)
            self.report(f"start: held-out ndcg {self.most:.4f}")
        while len(self.curve) < self.settings.epochs and self.waited < self.settings.patience:
            self._epoch()
            self.kept.save(self._state())
        self.model.curve = self.curve  # type: ignore[assignment]  # a plain list, no module
        return self.best

    def _epoch(self) -> None:
        total, count = 0.0, 0
        for loss_of in self._steps():
            self.optimiser.zero_grad()
            loss = loss_of()
            if not torch.isfinite(loss):
                raise CDPError("not_a_number", f"the loss is {loss.item()}; see the features")
            loss.backward()  # type: ignore[no-untyped-call]
            distributed.average([*self.model.parameters(), self.log_scale])
            self.optimiser.step()
            total, count = total + loss.item(), count + 1
        ndcg, mean = _ndcg_on(self.model, self.probe), total / max(1, count)
        epoch = len(self.curve) + 1
        self.curve.append({"epoch": epoch, "loss": mean, "ndcg": ndcg})
        self.report(
            f"epoch {epoch}/{self.settings.epochs} loss {mean:.4f} held-out ndcg {ndcg:.4f}"
        )
        if ndcg > self.most:
            self.most, self.waited, self.best = ndcg, 0, _result(self.model)
        else:
            self.waited += 1

    def _steps(self) -> Iterator[Callable[[], Tensor]]:
        """One loss a batch: the model's own, or the softmax over what is hidden of each history."""
        own: Any = getattr(self.model, "batch_loss", None)
        if own is not None:
            order = self.dice.permutation(self.taught)
            for start in range(0, len(order), self.settings.batch):
                part = distributed.own(order[start : start + self.settings.batch])
                yield partial(own, part, self.dice) if len(part) else self._nothing
            return
        for given, asked in _batches(self.data.matrix, self.taught, self.settings, self.dice):
            part = distributed.own(np.arange(given.shape[0]))
            yield (
                partial(self._hidden_loss, given[part], asked[part]) if len(part) else self._nothing
            )

    def _nothing(self) -> Tensor:
        """The loss of a process that has no part of a small batch."""
        return torch.stack([parameter.sum() * 0 for parameter in self.model.parameters()]).sum()

    def _hidden_loss(self, given: sparse.csr_matrix, asked: Tensor) -> Tensor:
        if choose().type == "cuda":
            with half_precision(choose()):
                vectors, folds = self.forward()
        else:
            vectors, folds = self.forward()
        return _loss(vectors.float(), folds.float(), to_csr(given), asked, self.log_scale)

    def _state(self) -> dict[str, Any]:
        vectors, folds = self.best
        return {
            "model": self.model.state_dict(), "log_scale": self.log_scale.detach(),
            "optimiser": self.optimiser.state_dict(), "dice": dice_state(self.dice),
            "torch": torch.get_rng_state(), "curve": self.curve, "most": self.most,
            "waited": self.waited, "vectors": torch.from_numpy(vectors), "folds": torch.from_numpy(folds),
        }  # fmt: skip

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        with torch.no_grad():
            self.log_scale.copy_(state["log_scale"])
        self.optimiser.load_state_dict(state["optimiser"])
        set_dice(self.dice, state["dice"])
        torch.set_rng_state(state["torch"])
        self.curve, self.most, self.waited = state["curve"], state["most"], state["waited"]
        self.best = state["vectors"].numpy(), state["folds"].numpy()
        self.report(f"going on after epoch {len(self.curve)} of a run that was cut off")


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
    vectors: Tensor, folds: Tensor, given: Tensor, asked: Tensor, log_scale: Tensor
) -> Tensor:
    """Cross-entropy of the hidden touches; what was visible is not asked for."""
    customers = normalize(given.to(vectors.device) @ (vectors * folds.unsqueeze(1)))
    logits = customers @ vectors.T * log_scale.exp()
    visible = given.to_dense().to(vectors.device) > 0
    logits = logits.masked_fill(visible, float("-inf"))
    target = asked.to(vectors.device)
    likely = log_softmax(logits, dim=1).masked_fill(visible, 0.0)
    return -(likely * target).sum(dim=1).div(target.sum(dim=1)).mean()


@torch.no_grad()
def _ndcg_on(model: nn.Module, batches: list[tuple[sparse.csr_matrix, Tensor]]) -> float:
    """Mean ndcg@20 of the hidden touches; what was visible is masked."""
    vectors, folds = model()
    k = min(K, len(vectors))
    discounts = 1 / torch.arange(2, k + 2, device=vectors.device).log2()
    gains: list[float] = []
    for visible, asked in batches:
        given = to_csr(visible)
        scores = normalize(given @ (vectors * folds.unsqueeze(1))) @ vectors.T
        scores = scores.masked_fill(given.to_dense() > 0, float("-inf"))
        top = scores.topk(k, dim=1).indices
        wanted = asked.to(vectors.device)
        ideal = discounts.cumsum(0)[wanted.sum(dim=1).long().clamp(max=k) - 1]
        gains += ((wanted.gather(1, top) * discounts).sum(dim=1) / ideal).tolist()
    return float(np.mean(gains)) if gains else 0.0


@torch.no_grad()
def _first_scale(
    model: nn.Module, batches: list[tuple[sparse.csr_matrix, Tensor]], settings: Settings
) -> Tensor:
    """The logarithm of the factor that gives the best product the logit ``sharpness``."""
    vectors, folds = model()
    given = to_csr(batches[0][0]) if batches else vectors.new_zeros(1, len(vectors))
    customers = normalize(given @ (vectors * folds.unsqueeze(1)))
    best = (customers @ vectors.T).amax(dim=1).median().clamp(min=1e-6)
    first: Tensor = (settings.sharpness / best).log()
    return first


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
