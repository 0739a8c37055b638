"""The words of what a customer did: interest is the cosine of two texts' vectors.

A product's vector is BERT over its words, centred and reduced to the catalogue's principal
components; a customer's is the sum over what was touched, recent ones more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cdp.domain.ranking import DECAY, Touch
from graph_ml.dataset import Split, given
from graph_ml.models.contract import ProductFeatures, Report, Scores
from graph_ml.models.graph_filter import text_part
from graph_ml.models.tuned import Tuned


class TextProfile(Tuned):
    """Nothing is learned from touches: a new product is placed as well as an old one."""

    name = "text"
    GRID = {"decay": (0.4, 0.6, 0.8, 0.9, 1.0)}

    def __init__(self, dimensions: int = 256) -> None:
        self.parameters_used: dict[str, Any] = {"dimensions": dimensions, "decay": DECAY}
        self._words: Scores = np.zeros((0, 1), dtype=np.float32)

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        self._words = text_part(features.text, self.parameters_used["dimensions"])

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        touched = given(histories, len(self._words), self.parameters_used["decay"])
        customers = touched @ self._words
        lengths = np.maximum(np.linalg.norm(customers, axis=1, keepdims=True), 1e-9)
        found: Scores = (customers / lengths) @ self._words.T
        return found.astype(np.float32)
