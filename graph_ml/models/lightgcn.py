"""LightGCN (He et al. 2020): embeddings of customers and products, smoothed over the graph.

Propagation without transforms or non-linearities, mean over layers. Two things differ from the
paper, because they learn many times faster:
the embeddings start from the graph's smoothest signals, and the loss is the softmax over all
products (or, of very many, over a sample, corrected by how likely each was drawn); the paper's
pairwise loss (BPR) is there too. Customers that the training did not see are folded in: the sum of
what they touched, as one more step of propagation would give them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn
from torch.nn.functional import embedding, logsigmoid, normalize

from cdp.domain.ranking import Touch
from cdp.domain.voices import Vectors
from graph_ml.dataset import Split
from graph_ml.device import choose, half_precision
from graph_ml.models.contract import ProductFeatures, Report, Scores, cosine
from graph_ml.models.spectral import normalised, spectral_pair
from graph_ml.training import Settings, to_csr, train

CELLS = 90_000_000  # logits held at once: beyond it the softmax is sampled
NEGATIVES = 8192
LOUD = 8.0  # how long the first embeddings are, in units of the signals'


class LightGCN(nn.Module):
    """Parameters: an embedding per customer (N, d) and per product (P, d).

    ``steps``: about how many batches are learned from, at least two epochs; None leaves it to the
    settings' epochs.
    """

    name = "lightgcn"

    def __init__(
        self,
        dimensions: int = 256,
        layers: int = 2,
        temperature: float = 0.1,
        loss: Literal["softmax", "bpr"] = "softmax",
        steps: int | None = None,
        settings: Settings | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or Settings(epochs=20, batch=2048, learning_rate=0.01, patience=2)
        self.parameters_used: dict[str, Any] = {
            "dimensions": dimensions, "layers": layers, "temperature": temperature, "loss": loss,
            "steps": steps, **self.settings.as_dict(),
        }  # fmt: skip
        self.dimensions, self.layers, self.temperature = dimensions, layers, temperature
        self.pairwise, self.steps = loss == "bpr", steps
        self.curve: list[dict[str, float]] = []
        self._voice: Vectors | None = None

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        left, right = spectral_pair(data.matrix, self.dimensions)
        self.customers = nn.Parameter(torch.from_numpy(left * LOUD))
        self.products = nn.Parameter(torch.from_numpy(right * LOUD))
        degree = np.asarray((data.matrix > 0).sum(axis=0), dtype=np.float32).ravel()
        self.register_buffer("folds", torch.from_numpy(np.maximum(degree, 1.0) ** -0.5))
        self.data = data
        vectors, folds = train(self, data, self._lasting(data), report)
        self._voice = cosine(vectors, folds)

    def tune(self, past: Split, features: ProductFeatures, report: Report) -> None:
        """Its settings are searched for by ``manage.py train --tune``; here it only learns."""
        self.fit(past, features, report)

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        self.fit(data, features, report)

    def _lasting(self, data: Split) -> Settings:
        if self.steps is None:
            return self.settings
        batches = -(-len(data.customers) // self.settings.batch)
        return replace(self.settings, epochs=max(2, round(self.steps / batches)))

    def taught(self, customers: NDArray[np.int64]) -> None:
        """Only these customers' touches are edges: nobody that the training is judged by is seen."""
        keep = np.zeros(len(self.data.customers), dtype=np.float32)
        keep[customers] = 1.0
        self.touched = (sparse.diags(keep) @ self.data.matrix).tocsr()
        self.touched.eliminate_zeros()
        edges = normalised(self.touched)
        self.edges, self.back = to_csr(edges), to_csr(edges.T.tocsr())

    def propagated(self) -> tuple[Tensor, Tensor]:
        """Customers (N, d) and products (P, d) of length 1, each the mean over the layers."""
        customers: Tensor = self.customers
        products: Tensor = self.products
        mine, theirs = [customers], [products]
        for _ in range(self.layers):
            customers, products = (
                _spread(products, self.edges, self.back),
                _spread(customers, self.back, self.edges),
            )
            mine.append(customers)
            theirs.append(products)
        return normalize(torch.stack(mine).mean(0)), normalize(torch.stack(theirs).mean(0))

    def forward(self) -> tuple[Tensor, Tensor]:
        """Product vectors (P, d) and fold-in weights (P,)."""
        folds: Any = self.folds
        return self.propagated()[1], folds

    def batch_loss(self, rows: NDArray[np.int64], dice: np.random.Generator) -> Tensor:
        """Of a batch of customers: every product touched is a target, each customer weighs the same."""
        customers, products = self.propagated()
        part = self.touched[rows]
        lengths = np.diff(part.indptr)
        weight = (lengths > 0) / max(1, int((lengths > 0).sum()))
        who = np.repeat(np.arange(len(rows)), lengths)
        share = self._on((weight / np.maximum(lengths, 1))[who].astype(np.float32))
        mine = embedding(self._on(rows), customers)
        each = embedding(self._on(who), mine)
        item = self._on(part.indices.astype(np.int64))
        wanted = (each * embedding(item, products)).sum(1) / self.temperature
        if self.pairwise:
            other = self._on(dice.integers(0, len(products), len(who)))
            unwanted = (each * embedding(other, products)).sum(1) / self.temperature
            return -(logsigmoid(wanted - unwanted) * share).sum()
        total = self._total(mine, products, part.indices, dice)
        return (total * self._on(weight.astype(np.float32))).sum() - (wanted * share).sum()

    def _total(
        self, mine: Tensor, products: Tensor, seen: NDArray[np.int32], dice: np.random.Generator
    ) -> Tensor:
        """The logarithm of the softmax's denominator for each customer."""
        if len(mine) * len(products) <= CELLS:
            with half_precision(mine.device):
                logits = (mine / self.temperature) @ products.T
            return logits.float().logsumexp(dim=1)
        own = np.unique(seen)
        drawn = np.setdiff1d(dice.integers(0, len(products), NEGATIVES), own)
        # Those of the batch are there for certain; the others stand for all that are not.
        each = np.log(max(1.0, (len(products) - len(own)) / max(1, len(drawn))))
        more = self._on(np.repeat([0.0, each], [len(own), len(drawn)]).astype(np.float32))
        with half_precision(mine.device):
            logits = (mine / self.temperature) @ embedding(
                self._on(np.concatenate([own, drawn])), products
            ).T
        return (logits.float() + more).logsumexp(dim=1)

    def _on(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(choose())

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)

    def voice(self) -> Vectors:
        assert self._voice is not None, "fit() first"
        return self._voice


def _spread(values: Tensor, edges: Tensor, back: Tensor) -> Tensor:
    found: Tensor = _Spread.apply(values, edges, back)  # type: ignore[no-untyped-call]
    return found


class _Spread(torch.autograd.Function):
    """A sparse product whose gradient is the product with the transpose, which is at hand."""

    @staticmethod
    def forward(context: Any, values: Tensor, edges: Tensor, back: Tensor) -> Tensor:
        context.back = back
        return edges @ values

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return context.back @ gradients[0], None, None
