"""Heterogeneous GraphSAGE over customers, products and categories, fed with BERT text vectors.

Hamilton et al. 2017 (SAGEConv, mean aggregation), one convolution per relation (PyG's HeteroConv).
Inductive: a product's vector follows from its text, category and neighbours, so that a product
nobody has touched yet has one too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
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
    """Two layers: customers and categories gather from products, products from both."""

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
        text = features.text.shape[1]
        self.text = torch.from_numpy(features.text)
        self.sizes = {"customer": len(data.customers), "category": features.categories}
        self.edges = _edges(data, features)
        self.project = nn.Linear(text, self.hidden)
        self.gather = HeteroConv(
            {
                ("product", "by", "customer"): SAGEConv((self.hidden, self.hidden), self.hidden),
                ("product", "in", "category"): SAGEConv((self.hidden, self.hidden), self.hidden),
            },
            aggr="sum",
        )
        self.spread = HeteroConv(
            {
                ("customer", "of", "product"): SAGEConv((self.hidden, self.hidden), self.hidden),
                ("category", "has", "product"): SAGEConv((self.hidden, self.hidden), self.hidden),
            },
            aggr="sum",
        )
        self.head = nn.Linear(2 * self.hidden, self.dimensions)
        degree = np.asarray((data.matrix > 0).sum(axis=0), dtype=np.float32).ravel() + 1.0
        self.log_scale = nn.Parameter(torch.from_numpy(0.25 * np.log(degree)))
        self.log_fold = nn.Parameter(torch.zeros(len(data.skus)))
        vectors, folds = train(self, data, self.settings, report)
        self._voice = cosine(vectors, folds)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Product vectors (P, d) and fold-in weights (P,) relative to them."""
        products = torch.relu(self.project(self.text.to(self.log_fold.device)))
        start = {
            "product": products,
            "customer": products.new_zeros(self.sizes["customer"], self.hidden),
            "category": products.new_zeros(self.sizes["category"], self.hidden),
        }
        edges = {key: value.to(products.device) for key, value in self.edges.items()}
        gathered = {key: torch.relu(x) for key, x in self.gather(start, edges).items()}
        around = self.spread(start | gathered, edges)["product"]
        vectors = normalize(self.head(torch.cat([products, torch.relu(around)], dim=1)))
        scale = self.log_scale.exp()
        return vectors * scale.unsqueeze(1), (self.log_fold - self.log_scale).exp()

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)

    def voice(self) -> Vectors:
        assert self._voice is not None, "fit() first"
        return self._voice


def _edges(data: Split, features: ProductFeatures) -> Edges:
    touched = data.matrix.tocoo()
    customer = torch.from_numpy(touched.row.astype(np.int64))
    product = torch.from_numpy(touched.col.astype(np.int64))
    known = np.flatnonzero(features.category >= 0)
    members = torch.from_numpy(known)
    category = torch.from_numpy(features.category[known])
    return {
        ("product", "by", "customer"): torch.stack([product, customer]),
        ("product", "in", "category"): torch.stack([members, category]),
        ("customer", "of", "product"): torch.stack([customer, product]),
        ("category", "has", "product"): torch.stack([category, members]),
    }
