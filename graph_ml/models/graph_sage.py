"""Heterogeneous GraphSAGE over customers, products, categories and queries.

Hamilton et al. 2017 (SAGEConv, mean aggregation), one convolution per relation (PyG's HeteroConv):
each behaviour is a relation of its own, so that what a purchase says and what a look says is learned.
Products are told by BERT vectors of their words, price and picture, queries by theirs. Inductive: a
product's vector follows from what is known of it and its neighbours, so that a product nobody has
touched yet has one too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch_geometric.nn import HeteroConv, SAGEConv

from cdp.domain.ranking import Touch
from cdp.domain.voices import Vectors
from graph_ml.dataset import Split
from graph_ml.models.contract import ProductFeatures, Report, Scores, cosine
from graph_ml.training import Settings, train

Edges = dict[tuple[str, str, str], Tensor]


class GraphSAGE(nn.Module):
    """Two layers: customers and categories gather from products, products from both and from queries."""

    name = "graphsage"

    def __init__(
        self, dimensions: int = 64, hidden: int = 128, settings: Settings | None = None
    ) -> None:
        super().__init__()
        self.settings = settings or Settings(learning_rate=0.005)
        self.parameters_used: dict[str, Any] = {
            "dimensions": dimensions, "hidden": hidden, **self.settings.as_dict()
        }  # fmt: skip
        self.dimensions = dimensions
        self.hidden = hidden
        self._voice: Vectors | None = None

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        torch.manual_seed(self.settings.seed)  # the first weights are drawn here, before training
        told, asked = _told(features), _queries(data, features)
        # Beside the model wherever it computes, and in no checkpoint: they are the data's.
        self.register_buffer("told", told, persistent=False)
        self.register_buffer("asked", asked, persistent=False)
        edges = _edges(data) | _categories(features) | _searches(data, len(asked))
        self.sizes = {"customer": len(data.customers), "category": features.categories}
        self.edges = edges
        self.parameters_used["relations"] = sorted(name for _, name, _ in edges)
        self.project = nn.Linear(told.shape[1], self.hidden)
        self.project_query = nn.Linear(features.text.shape[1], self.hidden)
        self.gather = self._layer(key for key in edges if key[2] != "product")
        self.spread = self._layer(key for key in edges if key[2] == "product")
        self.head = nn.Linear(2 * self.hidden, self.dimensions)
        degree = np.asarray((data.matrix > 0).sum(axis=0), dtype=np.float32).ravel() + 1.0
        self.log_scale = nn.Parameter(torch.from_numpy(0.25 * np.log(degree)))
        self.log_fold = nn.Parameter(torch.zeros(len(data.skus)))
        vectors, folds = train(self, data, self.settings, report)
        self._voice = cosine(vectors, folds)

    def known(self) -> list[NDArray[Any]]:
        """What it learns from, for telling one training from another."""
        told: Any = [self.told, self.asked, *(ends for _, ends in sorted(self.edges.items()))]
        return [part.detach().cpu().numpy() for part in told]

    def _layer(self, relations: Iterable[tuple[str, str, str]]) -> HeteroConv:
        wide = (self.hidden, self.hidden)
        with (
            warnings.catch_warnings()
        ):  # that a layer leaves some kinds of nodes as they are is meant
            warnings.simplefilter("ignore", UserWarning)
            return HeteroConv({key: SAGEConv(wide, self.hidden) for key in relations}, aggr="sum")

    def forward(self) -> tuple[Tensor, Tensor]:
        """Product vectors (P, d) and fold-in weights (P,) relative to them."""
        told: Any = self.told
        asked: Any = self.asked
        products = torch.relu(self.project(told))
        start = {
            "product": products,
            "customer": products.new_zeros(self.sizes["customer"], self.hidden),
            "category": products.new_zeros(self.sizes["category"], self.hidden),
        }
        edges = {key: value.to(products.device) for key, value in self.edges.items()}
        gathered = {key: torch.relu(x) for key, x in self.gather(start, edges).items()}
        if len(asked):
            gathered["query"] = torch.relu(self.project_query(asked))
        around = self.spread(start | gathered, edges)["product"]
        vectors = normalize(self.head(torch.cat([products, torch.relu(around)], dim=1)))
        scale = self.log_scale.exp()
        return vectors * scale.unsqueeze(1), (self.log_fold - self.log_scale).exp()

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)

    def voice(self) -> Vectors:
        assert self._voice is not None, "fit() first"
        return self._voice


def _told(features: ProductFeatures) -> Tensor:
    """Words, price and picture side by side (P, f)."""
    count = len(features.text)
    sides = [side for side in (features.text, features.price, features.image) if len(side) == count]
    return torch.from_numpy(np.concatenate(sides, axis=1))


def _queries(data: Split, features: ProductFeatures) -> Tensor:
    """The vectors (Q, t) of the different queries of a split, in the order of their texts."""
    texts = sorted({query.text for query in data.queries})
    if not texts:
        return torch.zeros((0, features.text.shape[1]))
    return torch.from_numpy(np.stack([features.queries[text] for text in texts]))


def _edges(data: Split) -> Edges:
    """Both directions of each behaviour that occurs; the same touched twice is one edge."""
    pairs: dict[str, set[tuple[int, int]]] = {}
    for customer, history in enumerate(data.histories):
        for touch in history:
            pairs.setdefault(touch.verb, set()).add((customer, touch.product))
    found: Edges = {}
    for verb, both in sorted(pairs.items()):
        ends = torch.tensor(sorted(both), dtype=torch.int64).T
        found["customer", verb, "product"] = ends
        found["product", f"{verb} by", "customer"] = ends.flip(0)
    return found


def _categories(features: ProductFeatures) -> Edges:
    known = np.flatnonzero(features.category >= 0)
    ends = torch.stack([torch.from_numpy(known), torch.from_numpy(features.category[known])])
    return {("product", "in", "category"): ends, ("category", "has", "product"): ends.flip(0)}


def _searches(data: Split, queries: int) -> Edges:
    if not queries:
        return {}
    place = {text: n for n, text in enumerate(sorted({query.text for query in data.queries}))}
    pairs = sorted({(place[query.text], query.product) for query in data.queries})
    return {("query", "found", "product"): torch.tensor(pairs, dtype=torch.int64).T}
