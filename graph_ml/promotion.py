"""May this candidate serve? A pure decision with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Metrics = Mapping[str, float]
RECALL, NDCG = "recall@20", "ndcg@20"
TOLERANCE = 0.02
BASELINES = ("popularity", "item-knn")
FEWEST_CUSTOMERS = 20


@dataclass(frozen=True)
class Decision:
    promoted: bool
    reason: str


def decide(
    candidate: Metrics, baselines: Mapping[str, Metrics], serving: Metrics | None
) -> Decision:
    """Promote only above every baseline and not below what serves, on held-out time.

    Judged by recall@20, because a slate is a list; ndcg@20 may lie ``TOLERANCE`` below, no more.
    """
    if candidate.get("customers", 0) < FEWEST_CUSTOMERS:
        asked = int(candidate.get("customers", 0))
        return Decision(False, f"only {asked} customers to judge by; {FEWEST_CUSTOMERS} are needed")
    reasons = [
        f"{name} {candidate[name]:.4f} is not above {other}'s {metrics[name]:.4f}"
        for other, metrics in sorted(baselines.items())
        for name, least in ((RECALL, metrics[RECALL]), (NDCG, (1 - TOLERANCE) * metrics[NDCG]))
        if candidate[name] <= least
    ]
    if serving is not None:
        reasons += [
            f"{name} {candidate[name]:.4f} is below the serving artifact's {serving[name]:.4f}"
            for name, least in ((RECALL, serving[RECALL]), (NDCG, (1 - TOLERANCE) * serving[NDCG]))
            if candidate[name] < least
        ]
    return Decision(
        not reasons, "; ".join(reasons) or "above every baseline and what served before"
    )
