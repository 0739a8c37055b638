"""Products that nobody touched yet are spoken for by those whose words are nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cdp.domain.voices import Floats


@dataclass(frozen=True)
class StandIns:
    """``places`` (c,): products that only their words tell of; ``by`` (c, P): the products that speak
    for each, weights adding up to 1; ``lift``: how much louder than those speak for themselves, so
    that what is new is seen at all."""

    places: NDArray[np.int64]
    by: sparse.csr_matrix
    lift: float

    def fill(self, voiced: Floats, sources: Sequence[str]) -> None:
        """Give the new products' scores (k, n, P) in every voice that hears no words, in place."""
        for scores, source in zip(voiced, sources, strict=True):
            if source != "text":
                scores[:, self.places] = np.float32(self.lift) * (self.by @ scores.T).T
