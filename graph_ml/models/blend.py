"""Teach a mixture's network on what customers did last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cdp.domain.blending import RANKED_ANEW, Blend, both, inputs, peaks, silu
from cdp.domain.voices import Floats, Voice
from graph_ml.dataset import Split
from graph_ml.metrics import Judged, interval
from graph_ml.models.contract import Report

HIDDEN, EPOCHS, BATCH, RATE = 32, 12, 256, 0.008
SEEDS = (7, 8, 9)
FEWEST = 300  # customers: with fewer a network learns them by heart
OUT = -1e9  # of reach: named by another part too, or the customer had it
FOLDS = 3
SHARE = 0.8  # of confidence that it beats the fixed weights on customers it was not taught


@dataclass(frozen=True)
class Lists:
    """What is ranked anew, of n customers: ``told`` (n, c, f) inputs, ``fixed`` (n, c) the fixed
    weights' scores, which of them are ``wanted``, and how many are wanted in all (n,)."""

    told: Floats
    fixed: Floats
    wanted: NDArray[np.bool_]
    sizes: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> Lists:
        return Lists(self.told[rows], self.fixed[rows], self.wanted[rows], self.sizes[rows])

    def quality(self, scores: Floats) -> NDArray[np.float64]:
        """recall@20 + ndcg@20 of each customer."""
        top = np.argsort(-scores, axis=1, kind="stable")[:, :20]
        hits = np.take_along_axis(self.wanted, top, axis=1)
        found = Judged(range(len(top)), top, hits, self.sizes)
        return found.recall() + found.ndcg()


def lists(
    voices: Floats,
    tops: NDArray[np.int64],
    weights: Sequence[float],
    past: Split,
    peaked: Voice | None,
) -> Lists:
    """The best by fixed weights of what voices (k, n, c) say of the candidates ``tops`` (n, c) of
    the customers that ``past`` asks, in order; what is out of reach is last in every voice."""
    fixed = np.einsum("knc,k->nc", voices, np.asarray(weights, dtype=np.float32))
    fixed = np.where(voices[0] > -1e5, fixed, np.float32(OUT))
    best = np.argsort(-fixed, axis=1, kind="stable")[:, :RANKED_ANEW]
    popular = log_degree(past)
    customers, wanted = sorted(past.targets), []
    told: Any = None
    for row, customer in enumerate(customers):
        products, history = tops[row, best[row]], past.histories[customer]
        tell = peaks(peaked, history, products)
        told_one = inputs(voices[:, row, best[row]], popular[products], history, tell)
        if told is None:
            told = np.empty((len(customers), *told_one.shape), dtype=np.float32)
        told[row] = told_one
        wanted.append(np.isin(products, list(past.targets[customer])))
    fixed = np.take_along_axis(fixed, best, axis=1)
    reach = fixed > OUT
    sizes = np.array([len(past.targets[c]) for c in sorted(past.targets)], dtype=np.int64)
    return Lists(told, fixed, np.stack(wanted) & reach, sizes)


def log_degree(data: Split) -> Floats:
    """How popular products are (P,), as the network hears it; nothing where what is asked was drawn
    by lot: a draw asks for the past's popularity, and what comes later has another.
    """
    if data.drawn:
        return np.zeros(len(data.skus), dtype=np.float32)
    degree = np.asarray((data.matrix > 0).sum(axis=0), dtype=np.float32).ravel()
    found: Floats = np.log1p(degree)
    return found


def taught(found: Lists, popular: Floats, report: Report) -> Blend | None:
    """The network, where it ranks customers that it was not taught better than fixed weights do: each
    third of them by a network taught by the others."""
    count = len(found.sizes)
    if count < FEWEST:
        return None
    order = np.random.default_rng(SEEDS[0]).permutation(count)
    before, after = found.quality(found.fixed), np.empty(count)
    for asked in np.array_split(order, FOLDS):
        tried = _fit(found.of(np.setdiff1d(order, asked)), popular)
        rest = found.of(asked)
        after[asked] = rest.quality(_scores(tried, rest))
    low, _ = interval(after - before, SHARE)
    report(
        f"network: {after.mean():.4f} where fixed weights have {before.mean():.4f}, on {count} "
        f"customers it was not taught: {'used' if low > 0 else 'not used'}"
    )
    return _fit(found, popular) if low > 0 else None


def _scores(blend: Blend, found: Lists) -> Floats:
    hidden = ((found.told - blend.shift) / blend.scale) @ blend.first + blend.bias
    scores: Floats = silu(hidden) @ blend.second
    mixed = np.full_like(scores, -np.inf)
    for row, reach in enumerate(found.fixed > OUT):
        mixed[row, reach] = both(scores[row, reach], found.fixed[row, reach])
    return mixed


def _fit(found: Lists, popular: Floats) -> Blend:
    """The mean of a few networks that began elsewhere, which is one with as many hidden units."""
    reach = found.fixed > OUT
    shift, scale = _usual(found.told, reach)
    nets = [_net(found, (shift, scale), reach, seed) for seed in SEEDS]
    first, bias, second = (np.concatenate(parts, axis=-1) for parts in zip(*nets, strict=True))
    second = (second / len(nets)).astype(np.float32)
    return Blend(first, bias, second, shift, scale, popular)


def _usual(told: Floats, reach: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each input over what is in reach, without a copy of it all."""
    count = max(1, int(reach.sum()))
    weight = reach.astype(np.float32)
    total = np.einsum("ncf,nc->f", told, weight, dtype=np.float64)
    squares = np.einsum("ncf,ncf,nc->f", told, told, weight, dtype=np.float64)
    spread = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0.0)) + 1e-6
    return (total / count).astype(np.float32), spread.astype(np.float32)


def _net(
    found: Lists, usual: tuple[Floats, Floats], reach: NDArray[np.bool_], seed: int
) -> tuple[Floats, Floats, Floats]:
    """Weights (f, h), biases (h,) and weights (h,) of a network taught by the softmax over each
    customer's candidates, every wanted one a target."""
    torch.manual_seed(seed)
    first, second = nn.Linear(found.told.shape[2], HIDDEN), nn.Linear(HIDDEN, 1, bias=False)
    net = nn.Sequential(first, nn.SiLU(), second)
    wanted, (shift, scale) = found.wanted & reach, usual
    useful = np.flatnonzero(wanted.any(axis=1))
    batches = -(-len(useful) // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * batches)
    dice = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        shuffled = dice.permutation(useful)
        for start in range(0, len(shuffled), BATCH):
            rows = shuffled[start : start + BATCH]
            told = (found.told[rows] - shift) / scale
            loss = _loss(net, told, wanted[rows], reach[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            pace.step()
    learned = (first.weight.detach().T, first.bias.detach(), second.weight.detach()[0])
    weights, bias, out = (part.numpy().copy() for part in learned)
    return weights, bias, out


def _loss(
    net: nn.Module, told: Floats, wanted: NDArray[np.bool_], reach: NDArray[np.bool_]
) -> Tensor:
    logits = net(torch.from_numpy(told)).squeeze(2)
    likely = logits.masked_fill(torch.from_numpy(~reach), -1e9).log_softmax(dim=1)
    targets = torch.from_numpy(wanted.astype(np.float32))
    found: Tensor = -(likely * targets).sum(dim=1).div(targets.sum(dim=1)).mean()
    return found
