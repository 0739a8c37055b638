"""The mixture finds out whom to listen to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cdp.domain.ranking import Touch
from cdp.domain.voices import Voice
from graph_ml.dataset import Split, positive
from graph_ml.models.contract import ProductFeatures, Report, Scores
from graph_ml.models.fusion import Fusion, Part

PRODUCTS, CUSTOMERS = 40, 50


class Said:
    """Says of the product that comes after the last touched one (on a ring) that it is wanted, or
    only makes noise."""

    def __init__(self, name: str, loud: float, knows: bool) -> None:
        self.name, self.loud, self.knows = name, loud, knows
        self.parameters_used: dict[str, Any] = {}
        self.learned = 0

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        self.learn(data, features, report)

    def tune(self, past: Split, features: ProductFeatures, report: Report) -> None:
        """It has no settings."""

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None:
        self.learned += 1

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        found = np.zeros((len(histories), PRODUCTS), dtype=np.float32)
        for row, history in enumerate(histories):
            last = max(history, key=lambda touch: touch.at).product if history else 0
            noise = np.random.default_rng(last).random(PRODUCTS)
            found[row] = self.loud * noise
            if self.knows:
                found[row, (last + 1) % PRODUCTS] = 2 * self.loud
        return found

    def voice(self) -> Voice:
        return self  # type: ignore[return-value]  # it is asked for scores alone


def ring() -> Split:
    histories = [
        [Touch((start + step) % PRODUCTS, "purchased", step) for step in range(6)]
        for start in range(CUSTOMERS)
    ]
    skus = [f"p{n}" for n in range(PRODUCTS)]
    customers = [f"c{n}" for n in range(CUSTOMERS)]
    return Split(customers, skus, histories, {}, positive(histories, PRODUCTS), last_out=True)


def test_it_listens_to_the_voice_that_knows_however_quiet() -> None:
    quiet, loud = Said("quiet", 0.001, knows=True), Said("loud", 1000.0, knows=False)
    parts: list[Part] = [loud, quiet]
    model = Fusion(lambda data, features: parts)
    data = ring()
    said: list[str] = []
    model.fit(
        data, ProductFeatures(np.zeros((PRODUCTS, 1), np.float32), np.zeros(1), 1), said.append
    )
    assert model.parameters_used == {"quiet": {"weight": 1.0}, "network": False}
    assert (quiet.learned, loud.learned) == (1, 0)
    assert model.scores(data.histories).argmax(axis=1).tolist() == [
        (start + 6) % PRODUCTS for start in range(CUSTOMERS)
    ]
    assert any("loud alone" in line for line in said)
