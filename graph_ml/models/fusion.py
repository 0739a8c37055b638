"""All voices in one: each part's standardised scores, weighted as the last part of training says.

Parts see the same history and answer in their own units, so each row is brought to mean 0 and
standard deviation 1. The weights are found one by one on what customers did last in the training
period; a part that does not help gets the weight 0 and is not asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from cdp.domain.ranking import Touch
from cdp.domain.voices import Mixture, standardised
from graph_ml.dataset import Split, later_part
from graph_ml.metrics import BATCH, ranked
from graph_ml.models.alike import Alike
from graph_ml.models.contract import ProductFeatures, Recommender, Report, Scores
from graph_ml.models.popularity import Popularity
from graph_ml.models.random_walk import RandomWalk
from graph_ml.models.settings import quality
from graph_ml.models.signals import Signals
from graph_ml.models.text_profile import TextProfile
from graph_ml.models.transitions import Transitions

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5)
ROUNDS = 3
CANDIDATES = 200


class Part(Recommender, Protocol):
    """A recommender whose settings can be chosen apart from what it serves from."""

    def tune(self, past: Split, features: ProductFeatures, report: Report) -> None: ...

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None: ...


def parts_for(features: ProductFeatures) -> list[Part]:
    parts: list[Part] = [
        RandomWalk(), Signals(power=-1.0), Alike(), Transitions(), Popularity(),
    ]  # fmt: skip
    return [*parts, TextProfile()] if features.text.any() else parts


class Fusion:
    """``parts``: what is mixed; by default all that the data has input for."""

    name = "fusion"

    def __init__(self, parts: Callable[[ProductFeatures], list[Part]] = parts_for) -> None:
        self.parameters_used: dict[str, Any] = {}
        self._make = parts
        self._parts: list[tuple[Part, float]] = []

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        past = later_part(data)
        parts = self._make(features)
        for part in parts:
            part.tune(past, features, _prefixed(part.name, report))
        weights = _weigh(parts, past, report)
        self._parts = [pair for pair in zip(parts, weights, strict=True) if pair[1]]
        for part, weight in self._parts:
            part.learn(data, features, report)
            self.parameters_used[part.name] = {"weight": weight, **part.parameters_used}

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)

    def voice(self) -> Mixture:
        return Mixture({part.name: (weight, part.voice()) for part, weight in self._parts})


def _prefixed(name: str, report: Report) -> Report:
    return lambda line: report(f"{name}: {line}")


def _weigh(parts: Sequence[Part], past: Split, report: Report) -> list[float]:
    """The best part alone, then every weight in turn, until a round changes nothing."""
    if not past.targets:
        return [1.0] + [0.0] * (len(parts) - 1)
    voices, small = _candidates(parts, past)
    places = {customer: n for n, customer in enumerate(sorted(small.targets))}

    def judge(weights: Sequence[float]) -> float:
        mixed = np.einsum("pnc,p->nc", voices, np.asarray(weights, dtype=np.float32))
        return quality(lambda batch: mixed[[places[c] for c in batch]], small)

    alone = [judge(np.eye(len(parts))[n]) for n in range(len(parts))]
    for part, found in zip(parts, alone, strict=True):
        report(f"{part.name} alone: validation recall + ndcg {found:.4f}")
    weights = np.eye(len(parts))[int(np.argmax(alone))].tolist()
    best = max(alone)
    for _ in range(ROUNDS):
        before = list(weights)
        for n in range(len(parts)):
            for weight in WEIGHTS:
                tried = [*weights[:n], weight, *weights[n + 1 :]]
                if any(tried) and (found := judge(tried)) > best:
                    best, weights = found, tried
        if weights == before:
            break
    said = ", ".join(f"{p.name} {w:g}" for p, w in zip(parts, weights, strict=True))
    report(f"weights {said}: validation recall + ndcg {best:.4f}")
    return [float(weight) for weight in weights]


def _candidates(parts: Sequence[Part], past: Split) -> tuple[Any, Split]:
    """Each part's scores (parts, customers, c) of the products that any part ranks high, and the
    split that asks for those: what no part ranks high no mixture would show."""
    customers = sorted(past.targets)
    found = []
    for start in range(0, len(customers), BATCH):
        batch = customers[start : start + BATCH]
        histories = [past.histories[customer] for customer in batch]
        without = [past.had(customer) for customer in batch]
        scored = np.stack([standardised(part.scores(histories)) for part in parts])
        k = min(CANDIDATES, scored.shape[2])
        tops = np.concatenate([ranked(scores, without, k) for scores in scored], axis=1)
        found.append((np.take_along_axis(scored, tops[None].repeat(len(parts), 0), axis=2), tops))
    voices = np.concatenate([voice for voice, _ in found], axis=1)
    tops = np.concatenate([top for _, top in found])
    return _once(voices, tops, past, customers)


def _once(voices: Any, tops: Any, past: Split, customers: list[int]) -> tuple[Any, Split]:
    """The same candidate named by two parts counts once: later ones are put out of reach, as is
    what the customer had. Targets become places among the candidates."""
    targets: dict[int, frozenset[int]] = {}
    width = tops.shape[1]
    for row, customer in enumerate(customers):
        _, first = np.unique(tops[row], return_index=True)
        again = np.setdiff1d(np.arange(width), first)
        had = np.flatnonzero(np.isin(tops[row], list(past.had(customer))))
        out = np.union1d(again, had)
        voices[:, row, out] = -1e6
        wanted = past.targets[customer]
        places = [int(n) for n in first if int(tops[row, n]) in wanted]
        # What no part ranks high still counts as missed: places that no score reaches.
        missed = range(width, width + len(wanted) - len(places))
        targets[customer] = frozenset([*places, *missed])
    histories: list[Sequence[Touch]] = [[] for _ in past.histories]
    names = [str(n) for n in range(width)]
    return voices, Split(past.customers, names, histories, targets, past.matrix)
