"""Graph filter with text, in closed form: the graph's smoothest signals beside the words.

GF-CF (Shen et al. 2021): scores are a low-pass filter of a customer's touches over the normalised
product graph, which its leading singular vectors span. Centred BERT vectors stand beside them as
further dimensions, so that products with few touches are placed by what is written about them.
The weight of the text and of popularity are chosen on the last part of the training period.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse.linalg import svds

from cdp.domain.ranking import Touch
from cdp.domain.voices import Vectors
from graph_ml.dataset import Split, later_part
from graph_ml.metrics import evaluate
from graph_ml.models.contract import ProductFeatures, Report, Scores, cosine
from graph_ml.models.spectral import spectral_start

TEXT_WEIGHTS = (0.0, 0.5, 1.0, 1.5)
POPULARITY = (0.3, 0.5)


class GraphFilter:
    """Nothing is trained: one singular value decomposition, and a small grid."""

    name = "graph-filter"

    def __init__(self, dimensions: int = 256, text_dimensions: int = 128) -> None:
        self.parameters_used: dict[str, Any] = {
            "dimensions": dimensions, "text_dimensions": text_dimensions,
        }  # fmt: skip
        self.dimensions = dimensions
        self.text_dimensions = text_dimensions
        self._voice: Vectors | None = None

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        words = text_part(features.text, self.text_dimensions)
        past = later_part(data)
        # Too many signals of a small graph would only repeat what was touched.
        count = min(self.dimensions, max(2, len(data.skus) // 8))
        signals = spectral_start(past.matrix, count)
        best = (-1.0, TEXT_WEIGHTS[0], POPULARITY[-1])
        for weight in TEXT_WEIGHTS if past.targets else ():
            for exponent in POPULARITY:
                tried = assemble(past, signals, words, weight, exponent)
                figures = _judge(tried, past)
                report(f"text {weight} popularity {exponent}: validation ndcg {figures:.4f}")
                best = max(best, (figures, weight, exponent))
        _, weight, exponent = best
        self.parameters_used |= {"text_weight": weight, "popularity": exponent}
        signals = spectral_start(data.matrix, count)
        self._voice = assemble(data, signals, words, weight, exponent)

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)

    def voice(self) -> Vectors:
        assert self._voice is not None, "fit() first"
        return self._voice


def text_part(text: Scores, dimensions: int) -> Scores:
    """The texts' principal components (P, k), each product's of unit length."""
    centred = (text - text.mean(axis=0)).astype(np.float64)
    count = min(dimensions, min(centred.shape) - 1)
    if count < 1 or not centred.any():  # one product, or the same text for all: words say nothing
        return np.zeros((len(text), 1), dtype=np.float32)
    _, _, axes = svds(centred, k=count, v0=np.ones(min(centred.shape)))
    words = centred @ axes.T
    lengths = np.linalg.norm(words, axis=1, keepdims=True)
    unit: Scores = (words / np.maximum(lengths, 1e-9)).astype(np.float32)
    return unit


def assemble(
    data: Split, signals: Scores, words: Scores, weight: float, exponent: float
) -> Vectors:
    """Signals and weighted words side by side; popularity scales what is asked for, and a touch of
    a popular product says less of a customer."""
    degree = np.asarray((data.matrix > 0).sum(axis=0), dtype=np.float32).ravel() + 1.0
    typical = float(np.sqrt((signals**2).sum(axis=1).mean()))
    joined = np.concatenate([signals, weight * typical * words], axis=1)
    vectors = (joined * (degree**exponent)[:, None]).astype(np.float32)
    return cosine(vectors, (degree ** (-0.5 - exponent)).astype(np.float32))


def _judge(voice: Vectors, past: Split) -> float:
    figures = evaluate(lambda batch: voice.scores([past.histories[n] for n in batch]), past)
    return next(value for name, value in figures.items() if name.startswith("ndcg"))
