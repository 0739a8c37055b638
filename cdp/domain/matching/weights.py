"""Fellegi-Sunter match weights, as Splink trains them, applied to two records in Python.

weight = log2(prior odds) + Σ log2(m / u) of the level reached in each comparison; where a level
looks at rarity, + log2(u / frequency) of the commoner of the two values (Fellegi & Sunter 1969;
Splink's documentation on term frequency adjustments).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cdp.domain.matching.comparing import Comparison, Level, agrees, comparisons
from cdp.domain.matching.fields import derived

Values = Mapping[str, str | None]
LEAST = 1e-9
ELSE = "different"
# The frequency of values that are not listed: seen once in training, or never.
REST = ""


@dataclass(frozen=True)
class Trained:
    """m: how often a level is reached by two records of one person; u: of two people."""

    m: float
    u: float

    @cached_property
    def weight(self) -> float:
        return math.log2(max(self.m, LEAST) / max(self.u, LEAST))


@dataclass(frozen=True)
class Part:
    """What one comparison adds to the weight (bits), and the level that was reached."""

    comparison: str
    level: str
    weight: float
    rarity: float = 0.0

    @property
    def total(self) -> float:
        return self.weight + self.rarity


@dataclass(frozen=True)
class Weights:
    """A trained model: the fields, the prior, m and u per comparison and level, frequencies."""

    kinds: Mapping[str, str]
    prior: float
    trained: Mapping[str, Mapping[str, Trained]]
    frequencies: Mapping[str, Mapping[str, float]]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        return comparisons(self.kinds)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Weights:
        kinds = dict(document["kinds"])
        trained = {
            name: {level: Trained(*pair) for level, pair in levels.items()}
            for name, levels in document["trained"].items()
        }
        return cls(kinds, document["prior"], trained, document["frequencies"])

    def document(self) -> dict[str, Any]:
        return {
            "kinds": dict(self.kinds),
            "prior": self.prior,
            "trained": {
                name: {level: [t.m, t.u] for level, t in levels.items()}
                for name, levels in self.trained.items()
            },
            "frequencies": {name: dict(found) for name, found in self.frequencies.items()},
        }

    def full(self, record: Values) -> dict[str, str | None]:
        """A cleaned record's fields that this model compares, with their parts."""
        return derived({name: record.get(name) for name in self.kinds}, self.kinds)

    def parts(self, a: Values, b: Values) -> list[Part]:
        """The waterfall: what each comparison says; one that says nothing is left out."""
        found = [Part("prior", "any two records", math.log2(self.prior / (1 - self.prior)))]
        for comparison in self.comparisons:
            part = self._part(comparison, a, b)
            if part is not None:
                found.append(part)
        return found

    def weight(self, a: Values, b: Values) -> float:
        """The match weight of two records in bits: the sum of ``parts``, without naming them."""
        total = math.log2(self.prior / (1 - self.prior))
        for needs, levels, otherwise in self._ready:
            for column in needs:
                if a.get(column) is not None and b.get(column) is not None:
                    break
            else:
                continue
            for level, one in levels:
                if agrees(level, a, b):
                    total += one.weight + self._rarity(level, one, a, b)
                    break
            else:
                total += otherwise
        return total

    @cached_property
    def _ready(self) -> list[tuple[tuple[str, ...], list[tuple[Level, Trained]], float]]:
        return [
            (c.needs, [(level, self.trained[c.name][level.name]) for level in c.levels],
             self.trained[c.name][ELSE].weight)
            for c in self.comparisons
        ]  # fmt: skip

    def _part(self, comparison: Comparison, a: Values, b: Values) -> Part | None:
        if not any(a.get(c) is not None and b.get(c) is not None for c in comparison.needs):
            return None
        trained = self.trained[comparison.name]
        for level in comparison.levels:
            if agrees(level, a, b):
                one = trained[level.name]
                return Part(comparison.name, level.name, one.weight, self._rarity(level, one, a, b))
        return Part(comparison.name, ELSE, trained[ELSE].weight)

    def _rarity(self, level: Level, one: Trained, a: Values, b: Values) -> float:
        if level.rare is None:
            return 0.0
        known = self.frequencies.get(level.rare, {})
        rest = known.get(REST, 0.0)
        commoner = max(known.get(v.get(level.rare) or REST, rest) for v in (a, b))
        return math.log2(max(one.u, LEAST) / commoner) if commoner > 0 else 0.0
