"""All voices in one: each part's standardised scores, weighted as the last part of training says.

Parts see the same history and answer in their own units, so each row is brought to mean 0 and
standard deviation 1. The weights are found one by one on what customers did last in the training
period; a part that does not help gets the weight 0 and is not asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from cdp.domain.blending import Blend
from cdp.domain.mixing import Mixture
from cdp.domain.ranking import Touch
from cdp.domain.stand_in import StandIns
from cdp.domain.voices import standardised
from graph_ml.dataset import Split, fewer, later_part
from graph_ml.metrics import BATCH, Judged, judged, ranked
from graph_ml.models.alike import Alike
from graph_ml.models.blend import FEWEST, lists, log_degree, taught
from graph_ml.models.contract import ProductFeatures, Recommender, Report, Scores
from graph_ml.models.lightgcn import LightGCN
from graph_ml.models.newcomers import lifted, stand_ins
from graph_ml.models.popularity import Popularity
from graph_ml.models.random_walk import RandomWalk
from graph_ml.models.regression import Regression
from graph_ml.models.settings import quality
from graph_ml.models.signals import Signals
from graph_ml.models.text_profile import TextProfile
from graph_ml.models.transitions import Transitions

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5)
ROUNDS = 3
CANDIDATES = 150
FEW, WIDE = 3000, 14000  # customers that settings and weights, and the network, are chosen by
STEPS, LIGHT = 36, 200_000_000


class Part(Recommender, Protocol):
    """A recommender whose settings can be chosen apart from what it serves from."""

    def tune(self, past: Split, features: ProductFeatures, report: Report) -> None: ...

    def learn(self, data: Split, features: ProductFeatures, report: Report) -> None: ...


def parts_for(data: Split, features: ProductFeatures) -> list[Part]:
    """Those that the data has input for, and size for: embeddings of a large graph take longer to
    train than all else together and add little to it."""
    parts: list[Part] = [
        RandomWalk(), Regression(), Signals(power=-1.0), Alike(), Transitions(), Popularity(),
    ]  # fmt: skip
    if len(data.customers) * len(data.skus) <= LIGHT:
        parts.append(LightGCN(steps=STEPS))
    return [*parts, TextProfile()] if features.text.any() else parts


class Fusion:
    """``parts``: what is mixed; by default all that the data has input for."""

    name = "fusion"

    def __init__(self, parts: Callable[[Split, ProductFeatures], list[Part]] = parts_for) -> None:
        self.parameters_used: dict[str, Any] = {}
        self._make = parts
        self._parts: list[tuple[Part, float]] = []
        self._blend: Blend | None = None
        self._new: StandIns | None = None

    def fit(self, data: Split, features: ProductFeatures, report: Report) -> None:
        wide = later_part(data, most=WIDE)
        past = fewer(wide, FEW)
        parts = self._make(data, features)
        for part in parts:
            part.tune(past, features, _prefixed(part.name, report))
        self._new = stand_ins(past, features)
        weights = _weigh(parts, past, self._new, report)
        self._parts = [pair for pair in zip(parts, weights, strict=True) if pair[1]]
        if self._new is not None:
            self._new = lifted(self._new, past, partial(self._judged, past), report)
        self._blend = self._network(wide, report)
        for part, weight in self._parts:
            part.learn(data, features, _prefixed(part.name, report))
            self.parameters_used[part.name] = {"weight": weight, **part.parameters_used}
        if self._blend is not None:
            self._blend = replace(self._blend, popular=log_degree(replace(data, drawn=wide.drawn)))
        self.parameters_used["network"] = self._blend is not None
        if self._new is not None:
            self.parameters_used["lift of new products"] = self._new.lift
            self._new = stand_ins(data, features, self._new.lift)

    def _judged(self, past: Split, new: StandIns) -> Judged:
        """What the fixed weights show, with these standing in for new products."""
        mixture = replace(self.voice(), stand_ins=new)
        return judged(lambda batch: mixture.scores([past.histories[n] for n in batch]), past)

    def _network(self, wide: Split, report: Report) -> Blend | None:
        """Taught on more customers than the weights, because it has more to learn."""
        if len(wide.targets) < FEWEST:
            return None
        parts, weights = [part for part, _ in self._parts], [weight for _, weight in self._parts]
        voices, tops = _candidates(parts, wide, self._new)
        _out_of_reach(voices, tops, wide)
        found = lists(voices, tops, weights, wide, self.voice().peaked)
        del voices, tops
        return taught(found, log_degree(wide), report)

    def scores(self, histories: Sequence[Sequence[Touch]]) -> Scores:
        return self.voice().scores(histories)

    def voice(self) -> Mixture:
        parts = {part.name: (weight, part.voice()) for part, weight in self._parts}
        return Mixture(parts, self._blend, self._new)


def _prefixed(name: str, report: Report) -> Report:
    return lambda line: report(f"{name}: {line}")


def _weigh(parts: Sequence[Part], past: Split, new: StandIns | None, report: Report) -> list[float]:
    """The best part alone, then every weight in turn, until a round changes nothing."""
    if not past.targets:
        return [1.0] + [0.0] * (len(parts) - 1)
    voices, small = _once(*_candidates(parts, past, new), past)
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


def _candidates(parts: Sequence[Part], past: Split, new: StandIns | None) -> tuple[Any, Any]:
    """Each part's scores (parts, customers, c) of the products (customers, c) that any part ranks
    high: what no part ranks high no mixture would show."""
    customers = sorted(past.targets)
    found: list[tuple[Any, Any]] = []
    for start in range(0, len(customers), BATCH):
        batch = customers[start : start + BATCH]
        histories = [past.histories[customer] for customer in batch]
        without = [past.had(customer) for customer in batch]
        scored = np.stack([standardised(part.scores(histories)) for part in parts])
        if new is not None:
            new.fill(scored, [part.voice().source for part in parts])
        k = min(CANDIDATES, scored.shape[2])
        tops = np.concatenate([ranked(scores, without, k) for scores in scored], axis=1)
        found.append((np.take_along_axis(scored, tops[None].repeat(len(parts), 0), axis=2), tops))
    voices = np.empty((len(parts), len(customers), found[0][1].shape[1]), dtype=np.float32)
    tops = np.concatenate([top for _, top in found])
    for start in range(0, len(customers), BATCH):  # one at a time: all of them twice is too much
        voices[:, start : start + BATCH] = found[start // BATCH][0]
        found[start // BATCH] = (None, None)
    return voices, tops


def _out_of_reach(voices: Any, tops: Any, past: Split) -> None:
    """The same candidate named by two parts counts once: later ones are last in every voice, as is
    what the customer had."""
    width = tops.shape[1]
    for row, customer in enumerate(sorted(past.targets)):
        _, first = np.unique(tops[row], return_index=True)
        again = np.setdiff1d(np.arange(width), first)
        had = np.flatnonzero(np.isin(tops[row], list(past.had(customer))))
        voices[:, row, np.union1d(again, had)] = -1e6


def _once(voices: Any, tops: Any, past: Split) -> tuple[Any, Split]:
    """The candidates as a split of their own: targets become places among them."""
    _out_of_reach(voices, tops, past)
    width = tops.shape[1]
    targets: dict[int, frozenset[int]] = {}
    for customer, row in zip(sorted(past.targets), tops, strict=True):
        wanted = past.targets[customer]
        _, first = np.unique(row, return_index=True)
        places = [int(n) for n in first if int(row[n]) in wanted]
        # What no part ranks high still counts as missed: places that no score reaches.
        missed = range(width, width + len(wanted) - len(places))
        targets[customer] = frozenset([*places, *missed])
    histories: list[Sequence[Touch]] = [[] for _ in past.histories]
    names = [str(n) for n in range(width)]
    return voices, Split(past.customers, names, histories, targets, past.matrix)
