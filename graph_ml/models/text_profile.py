"""The words of what a customer did: interest is the cosine of two texts' vectors.

A product's vector is BERT over its words, centred and reduced to the catalogue's principal
components; a customer's is the sum over what was touched, recent ones more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cdp.domain.ranking import DECAY
from cdp.domain.voices import Vectors, Voice
from graph_ml.dataset import Split
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

    def voice(self) -> Voice:
        one = np.ones(len(self._words), dtype=np.float32)
        decay = self.parameters_used["decay"]
        return Vectors(self._words, one, one, decay, unit=True, source="text")
