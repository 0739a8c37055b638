"""The graph's smoothest signals: what many customers' touches have in common, nothing else.

The ideal low-pass filter of GF-CF (Shen et al. 2021), with busy customers and popular products
damped less than by the roots of their degrees (``customer`` / 2 and ``product``); how many signals
is chosen on the last part of the training period. A signal counts its strength to the ``power``:
below 0 the finer ones speak up, which is worse alone and better beside the walk, that knows the
rough ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from cdp.domain.ranking import DECAY
from cdp.domain.voices import Vectors, Voice
from graph_ml.dataset import Split
from graph_ml.models.contract import ProductFeatures, Report, Scores
from graph_ml.models.tuned import Tuned


class Signals(Tuned):
    """Right singular vectors of the normalised customers × products matrix."""

    name = "signals"
    GRID = {"used": (0.125, 0.25, 0.5, 1.0), "decay": (0.8, 0.9, 1.0)}

    def __init__(
        self,
        dimensions: int = 640,
        customer: float = 0.6,
        product: float = 0.4,
        power: float = 0.0,
    ) -> None:
        self.parameters_used: dict[str, Any] = {
            "dimensions": dimensions, "customer": customer, "product": product, "power": power,
            "used": 1.0, "decay": DECAY,
        }  # fmt: skip
        self._signals: Scores = np.zeros((0, 0), dtype=np.float32)
        self._degree: Any = np.zeros(0)

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        used = self.parameters_used
        binary = (data.matrix > 0).astype(np.float32)
        lengths = np.maximum(np.diff(binary.indptr), 1)
        self._degree = np.maximum(np.asarray(binary.sum(axis=0)).ravel(), np.float32(1))
        scaled = sparse.diags(lengths ** (-used["customer"] / 2)) @ binary
        scaled = (scaled @ sparse.diags(self._degree ** -used["product"])).astype(np.float32)
        # Too many signals of a small graph would only repeat what was touched.
        count = min(used["dimensions"], max(1, len(data.skus) // 8), min(scaled.shape) - 1)
        if count < 1 or not scaled.nnz:
            self._signals = np.zeros((len(data.skus), 1), dtype=np.float32)
            return
        report(f"{count} signals of {scaled.shape[0]} customers and {scaled.shape[1]} products")
        _, strength, right = svds(scaled, k=count, v0=np.ones(min(scaled.shape), dtype=np.float32))
        real = strength > 1e-5 * strength.max()  # the others are noise of the arithmetic
        strength, right = strength[real], right[real]
        # Half of the power on either side of the product of two vectors.
        louder = (strength / strength.max()) ** (used["power"] / 2)
        self._signals = (right * louder[:, None])[::-1].T.astype(np.float32)

    def voice(self) -> Voice:
        used = self.parameters_used
        signals = self._signals[:, : max(1, round(used["used"] * self._signals.shape[1]))]
        popular = self._degree ** used["product"]
        return Vectors(signals, 1 / popular, popular, used["decay"])
