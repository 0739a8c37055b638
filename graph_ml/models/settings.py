"""Choose a model's few settings on the last part of the training period."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graph_ml.dataset import Split
from graph_ml.metrics import evaluate
from graph_ml.models.contract import Recommender, Report


def quality(scores: Callable[[list[int]], Any], past: Split) -> float:
    """What settings and weights are chosen by: recall@20 + ndcg@20 of what came later."""
    figures = evaluate(scores, past)
    return figures["recall@20"] + figures["ndcg@20"]


def choose_one_by_one(
    model: Recommender,
    grid: Mapping[str, Sequence[float]],
    past: Split,
    report: Report,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Set each of ``parameters_used`` in turn to the value that ranks best; ``ready`` prepares the
    model for changed ones. One pass: the settings hardly depend on each other."""
    if not past.targets:
        return

    def judge() -> float:
        ready()
        return quality(lambda batch: model.scores([past.histories[n] for n in batch]), past)

    best = judge()
    for name, values in grid.items():
        kept = model.parameters_used[name]
        for value in values:
            if value == kept:
                continue
            model.parameters_used[name] = value
            found = judge()
            if found > best:
                best, kept = found, value
        model.parameters_used[name] = kept
    ready()
    chosen = ", ".join(f"{name} {model.parameters_used[name]:g}" for name in grid)
    report(f"{chosen}: validation recall + ndcg {best:.4f}")
