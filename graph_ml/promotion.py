"""May this candidate serve? A pure decision with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Metrics = Mapping[str, float]
JUDGED = ("recall@20", "ndcg@20")
BASELINES = ("popularity", "item-knn")
FEWEST_CUSTOMERS = 20


@dataclass(frozen=True)
class Decision:
    promoted: bool
    reason: str


def decide(
    candidate: Metrics, baselines: Mapping[str, Metrics], serving: Metrics | None
) -> Decision:
    """Promote only above every baseline and not below what serves, on held-out time."""
    if candidate.get("customers", 0) < FEWEST_CUSTOMERS:
        asked = int(candidate.get("customers", 0))
        return Decision(False, f"only {asked} customers to judge by; {FEWEST_CUSTOMERS} are needed")
    reasons = [
        f"{name} {candidate[name]:.4f} is not above {other}'s {metrics[name]:.4f}"
        for other, metrics in sorted(baselines.items())
        for name in JUDGED
        if candidate[name] <= metrics[name]
    ]
    if serving is not None:
        reasons += [
            f"{name} {candidate[name]:.4f} is below the serving artifact's {serving[name]:.4f}"
            for name in JUDGED
            if candidate[name] < serving[name]
        ]
    return Decision(
        not reasons, "; ".join(reasons) or "above every baseline and what served before"
    )
