"""The peer: alternating least squares of the library ``implicit`` (Hu, Koren & Volinsky 2008)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cdp.domain.ranking import Touch
    from graph_ml.dataset import Split

# The settings that ranked best on Gowalla of those tried there.
SETTINGS = {"factors": 256, "regularization": 0.1, "alpha": 40.0, "iterations": 15}


class ALS:
    """Customers are folded in from what they touched, as the library recalculates them."""

    name = "implicit ALS"

    def __init__(self) -> None:
        self.parameters_used: dict[str, Any] = dict(SETTINGS)

    def fit(self, data: Split, features: object, report: object) -> None:
        from implicit.cpu.als import AlternatingLeastSquares

        self.model = AlternatingLeastSquares(**SETTINGS, random_state=7, num_threads=0)
        self.model.fit(_binary(data.matrix), show_progress=False)

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Any:
        from cdp.domain.voices import touched

        items = self.model.item_factors
        users_had = _binary(touched(histories, len(items)))
        users = self.model.recalculate_user(np.arange(len(histories)), users_had)
        return (users @ items.T).astype(np.float32)


def _binary(matrix: Any) -> Any:
    return (matrix > 0).astype(np.float32).tocsr()
