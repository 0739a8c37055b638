"""The baseline that knows nobody: what most customers touched, the recent weighing more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cdp.domain.ranking import Touch
from cdp.domain.voices import Counts, Voice
from graph_ml.dataset import Split, weight_of
from graph_ml.models.contract import ProductFeatures, Report, Scores


class Popularity:
    """Weighted touches with a half-life, as a share of the history's length."""

    name = "popularity"

    def __init__(self, half_life: float = 0.25) -> None:
        self.parameters_used: dict[str, Any] = {"half_life": half_life}
        self.counts: Scores = np.zeros(0, dtype=np.float32)

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        self.counts = np.zeros(len(data.skus), dtype=np.float32)
        touches = [touch for history in data.histories for touch in history]
        if not touches:
            return
        last, first = max(t.at for t in touches), min(t.at for t in touches)
        life = max(1.0, (last - first) * self.parameters_used["half_life"])
        for touch in touches:
            decay = 0.5 ** ((last - touch.at) / life)
            self.counts[touch.product] += max(0.0, weight_of(touch.verb)) * decay

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)

    def voice(self) -> Voice:
        return Counts(self.counts)

    def tune(self, past: Split, features: ProductFeatures, report: Report) -> None:
        """Its half-life is as good as any on every data set tried."""
        self.learn(past, features, report)

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        self.fit(data, features, report)
