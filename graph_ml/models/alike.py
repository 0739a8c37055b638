"""Customers alike: what those wanted whose touches are most like a customer's.

User-based k nearest neighbours by cosine (Resnick et al. 1994), popular products counting less in
the likeness. A customer is no neighbour of a history that is their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from cdp.domain.voices import Neighbours
from graph_ml.dataset import Split
from graph_ml.models.contract import ProductFeatures, Report
from graph_ml.models.tuned import Tuned


class Alike(Tuned):
    """Keeps what every customer touched."""

    name = "alike"
    GRID = {"decay": (0.8, 0.9, 1.0), "neighbours": (50, 100, 200)}

    def __init__(self) -> None:
        self.parameters_used: dict[str, Any] = {"neighbours": 100, "decay": 0.9}
        self._voice = Neighbours(sparse.csr_matrix((0, 0)), np.zeros(0, dtype=np.float32), 1)

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        by = (data.matrix > 0).astype(np.float32)
        degree = np.maximum(np.asarray(by.sum(axis=0)).ravel(), np.float32(1))
        self._voice = Neighbours(by, degree**-0.25, 1)

    def voice(self) -> Neighbours:
        used = self.parameters_used
        asked = int(used["neighbours"]), used["decay"]
        if (self._voice.count, self._voice.decay) != asked:
            self._voice = replace(self._voice, count=asked[0], decay=asked[1])
        return self._voice
