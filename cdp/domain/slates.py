"""From histories to slates: ranking, what is left out, and the reason of every place.

No training happens here: what a model learned is a voice, and a customer's slate follows from what
they touched. So a new event changes a slate without a model run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdp.domain.mixing import Mixture, space
from cdp.domain.ranking import Touch
from cdp.domain.variety import PLAIN, WIDER, Variety, diversified, explored
from cdp.domain.voices import SILENT, Histories, Neighbours, Vectors, Voice, standardised

Ints = NDArray[np.int64]
SLATE = 50
OWNED = ("purchased", "returned")
POPULAR: Mapping[str, str] = {"kind": "popular", "text": "popular with our customers"}
CELLS = 4_000_000  # scores held at once, of one voice


@dataclass(frozen=True)
class Ranker:
    """A trained artifact as it ranks: its products in order, and what it learned of them."""

    skus: Sequence[str]
    voice: Voice

    @cached_property
    def index(self) -> Mapping[str, int]:
        return {sku: n for n, sku in enumerate(self.skus)}

    @cached_property
    def mixture(self) -> Mixture:
        return self.voice if isinstance(self.voice, Mixture) else Mixture({"": (1.0, self.voice)})

    @cached_property
    def space(self) -> Vectors | None:
        """Where what is alike is near, where the model has vectors."""
        return space(self.voice)


def slates(
    ranker: Ranker,
    histories: Histories,
    count: int = SLATE,
    again: frozenset[int] = frozenset(),
    variety: Variety = PLAIN,
) -> Iterator[list[dict[str, Any]]]:
    """The ``count`` best products of each history, ``{"sku", "score", "reason"}``, best first, ties
    by product; what is owned is left out unless it is bought ``again``. ``variety`` changes the order
    for the sake of unlike products and puts some in that rank lower. None for a history that says
    nothing: who has one is a stranger."""
    widest = [
        voice.by.shape[0]
        for _, voice in ranker.mixture.parts.values()
        if isinstance(voice, Neighbours)
    ]
    step = max(1, CELLS // max(1, len(ranker.skus), *widest))
    for start in range(0, len(histories), step):
        part = histories[start : start + step]
        voices = [
            (weight, voice, voice.scores(part)) for weight, voice in ranker.mixture.parts.values()
        ]
        totals = ranker.mixture.combined([scores for _, _, scores in voices], part)
        for row, history in enumerate(part):
            alone = [(weight, voice, scores[row]) for weight, voice, scores in voices]
            silent = (
                float(totals[row].std()) <= SILENT
            )  # what was touched says nothing to the model
            owned = {touch.product for touch in history if touch.verb in OWNED} - again
            shown, new = places(ranker, history, totals[row], owned, count, variety)
            yield [] if silent else _slate(ranker, history, totals[row], alone, shown, new)


def places(
    ranker: Ranker,
    history: Sequence[Touch],
    total: Any,
    without: set[int],
    count: int,
    variety: Variety,
) -> tuple[Ints, set[int]]:
    """What is shown by scores (P,), in order, and which of it is there to find something out."""
    ranked = best(total, without, variety.depth(count))
    near, shown, weight = ranker.space, ranked[:count], variety.diversity
    if near is not None and weight > 0:
        wide = ranked[: WIDER * count]
        shown = diversified(wide, total, near.vectors, weight, count)
    return explored(shown, np.setdiff1d(ranked[count:], shown), variety.exploration, history)


def _slate(
    ranker: Ranker,
    history: Sequence[Touch],
    total: Any,
    voices: Sequence[tuple[float, Voice, Any]],
    places: Ints,
    new: set[int],
) -> list[dict[str, Any]]:
    parts = [weight * standardised(scores[None, :])[0] for weight, _, scores in voices]
    reasons = _reasons(ranker, history, voices, places)
    found = []
    for place, reason in zip(places.tolist(), reasons, strict=True):
        heard = _heard([(voice.source, part[place]) for (_, voice, _), part in zip(voices, parts, strict=True)])  # fmt: skip
        score = round(float(total[place]), 6)
        told = reason | heard | ({"explored": True} if place in new else {})
        found.append({"sku": ranker.skus[place], "score": score, "reason": told})
    return found


def best(scores: Any, without: set[int], count: int) -> Ints:
    """The ``count`` products of greatest score (P,), ties by index; ``without`` left out."""
    scores = np.array(scores)
    scores[list(without)] = -np.inf
    count = min(count, len(scores))
    top = np.sort(np.argpartition(-scores, count - 1)[:count]) if count else np.zeros(0, int)
    ordered = top[np.argsort(-scores[top], kind="stable")]
    found: Ints = ordered[np.isfinite(scores[ordered])]
    return found


def _reasons(
    ranker: Ranker,
    history: Sequence[Touch],
    voices: Sequence[tuple[float, Voice, Any]],
    places: Ints,
) -> list[dict[str, Any]]:
    """For each place the touch that speaks most for it, and how much of what touches say it is."""
    shares = ranker.mixture.shares_of([scores for _, _, scores in voices], history, places)
    last = {touch.product: touch for touch in sorted(history, key=lambda t: (t.at, t.verb))}
    ones = sorted(last)
    if not ones or not len(places):
        return [dict(POPULAR) for _ in places]
    strongest = shares.argmax(axis=0)
    found = []
    for column, row in enumerate(strongest.tolist()):
        share = float(shares[row, column])
        if share <= 0:
            found.append(dict(POPULAR))
            continue
        touch = last[ones[row]]
        sku = ranker.skus[touch.product]
        part = share / float(np.maximum(shares[:, column], 0).sum())
        told: dict[str, Any] = {
            "kind": "touch", "verb": touch.verb, "sku": sku, "text": f"because you {touch.verb} {sku}",
            "share": round(part, 3),
        }  # fmt: skip
        found.append(told)
    return found


def _heard(parts: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """What each kind of voice adds to the score, as shares of all that speak for it."""
    for_it: dict[str, float] = {}
    for source, value in parts:
        for_it[source] = for_it.get(source, 0.0) + max(0.0, float(value))
    whole = sum(for_it.values())
    return {"from": {k: round(v / whole, 3) for k, v in for_it.items()}} if whole > 0 else {}
