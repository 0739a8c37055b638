"""May this candidate serve? A pure decision with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph_ml.metrics import interval, mean
from graph_ml.quality import Quality

RECALL, NDCG = "recall@20", "ndcg@20"
TOLERANCE = 0.02  # of ndcg@20: a slate is a list, recall@20 decides
GROUP_LIMIT = 0.1  # of a group's recall@20
TAIL_LIMIT = 0.25  # of the long tail's share of what is shown
CONFIDENCE = 0.9  # two-sided: 95 % that a difference is above the lower end
FEWEST_CUSTOMERS = 20


@dataclass(frozen=True)
class Decision:
    promoted: bool
    reason: str


def decide(
    candidate: Quality,
    baselines: Mapping[str, Quality],
    serving: Quality | None,
    *,
    stale: bool = False,
) -> Decision:
    """Promote only what is better than every baseline and what serves, with confidence, and for no
    group of customers or products much worse.

    Better: recall@20 of the same customers, paired, with 95 % confidence by bootstrap; ndcg@20 may
    lie ``TOLERANCE`` below, no more. Where what serves is ``stale`` (learned from old data), it is
    enough not to be worse. Groups are compared with what serves, else with the best baseline.
    """
    asked = len(candidate.recall)
    if asked < FEWEST_CUSTOMERS:
        return Decision(False, f"only {asked} customers to judge by; {FEWEST_CUSTOMERS} are needed")
    reasons = [
        said
        for name, other in sorted(baselines.items())
        for said in _not_better(candidate, other, f"{name}'s", enough=0.0)
    ]
    if serving is not None:
        margin = TOLERANCE * mean(serving.recall) if stale else 0.0
        reasons += _not_better(candidate, serving, "what serves now:", enough=-margin)
    reference = serving or max(baselines.values(), key=lambda q: mean(q.recall), default=None)
    if reference is not None:
        reasons += _worse_for_some(candidate, reference)
    said = "; ".join(reasons)
    return Decision(not reasons, said or "better than every baseline and what served before")


def no_worse(candidate: Quality, serving: Quality | None) -> bool:
    """Within ``TOLERANCE`` of what serves, or that cannot be judged any more."""
    return serving is None or mean(candidate.recall) >= (1 - TOLERANCE) * mean(serving.recall)


def _not_better(candidate: Quality, other: Quality, whose: str, enough: float) -> list[str]:
    mine, theirs = mean(candidate.recall), mean(other.recall)
    low, high = _difference(candidate.recall, other.recall)
    found = []
    if low <= enough:
        found.append(
            f"{RECALL} {mine:.4f} is not above {whose} {theirs:.4f} with confidence "
            f"(difference {low:+.4f} to {high:+.4f})"
        )
    if mean(candidate.ndcg) <= (1 - TOLERANCE) * mean(other.ndcg):
        found.append(f"{NDCG} {mean(candidate.ndcg):.4f} is below {whose} {mean(other.ndcg):.4f}")
    return found


def _worse_for_some(candidate: Quality, reference: Quality) -> list[str]:
    found = []
    for name, mask in sorted(candidate.groups.items()):
        mine, theirs = mean(candidate.recall[mask]), mean(reference.recall[mask])
        _, high = _difference(candidate.recall[mask], reference.recall[mask])
        if high < 0 and mine < (1 - GROUP_LIMIT) * theirs:
            found.append(
                f"group {name} ({int(mask.sum())} customers): {RECALL} falls from {theirs:.4f} to {mine:.4f}"
            )
    if candidate.tail < (1 - TAIL_LIMIT) * reference.tail:
        found.append(
            f"the long tail's share of places falls from {reference.tail:.3f} to {candidate.tail:.3f}"
        )
    return found


def _difference(mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float]:
    return interval(mine - theirs, CONFIDENCE)
