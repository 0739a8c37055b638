"""The gate."""

from __future__ import annotations

import pytest

from graph_ml.promotion import decide

GOOD = {"recall@20": 0.3, "ndcg@20": 0.2, "customers": 100.0}
BASE = {
    "popularity": {"recall@20": 0.1, "ndcg@20": 0.05},
    "item-knn": {"recall@20": 0.25, "ndcg@20": 0.15},
}


def test_better_than_everything_is_promoted() -> None:
    assert decide(GOOD, BASE, None).promoted
    assert decide(GOOD, BASE, GOOD).promoted
    assert decide(GOOD | {"ndcg@20": 0.148}, BASE, None).promoted  # 1.3 % below item-kNN


@pytest.mark.parametrize(
    ("change", "serving", "reason"),
    [
        ({"recall@20": 0.25}, None, "recall@20 0.2500 is not above item-knn's 0.2500"),
        ({"ndcg@20": 0.146}, None, "ndcg@20 0.1460 is not above item-knn's 0.1500"),
        ({"ndcg@20": 0.1}, None, "ndcg@20 0.1000 is not above item-knn's 0.1500"),
        (
            {},
            {"recall@20": 0.31, "ndcg@20": 0.2},
            "recall@20 0.3000 is below the serving artifact's 0.3100",
        ),
        ({"customers": 3.0}, None, "only 3 customers to judge by; 20 are needed"),
    ],
)
def test_anything_else_is_refused_with_the_reason(
    change: dict[str, float], serving: dict[str, float] | None, reason: str
) -> None:
    decision = decide(GOOD | change, BASE, serving)
    assert (decision.promoted, decision.reason) == (False, reason)
