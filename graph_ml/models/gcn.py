"""Node classifier: two graph convolutions (Kipf & Welling 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv


class GCN(nn.Module):
    """Logits (n, classes) of nodes from their features (n, f) and the edges (2, e) between them."""

    def __init__(self, features: int, classes: int, hidden: int = 16, dropout: float = 0.5) -> None:
        super().__init__()
        self.first = GCNConv(features, hidden)
        self.second = GCNConv(hidden, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, edges: Tensor) -> Tensor:
        hidden = torch.relu(self.first(features, edges))
        found: Tensor = self.second(self.dropout(hidden), edges)
        return found
