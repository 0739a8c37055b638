"""The gate."""

from __future__ import annotations

import numpy as np
import pytest

from graph_ml.promotion import decide
from graph_ml.quality import Quality

CUSTOMERS = 100
NEW = np.arange(CUSTOMERS) < 40


def quality(
    recall: float, ndcg: float = 0.5, tail: float = 0.4, new: float | None = None
) -> Quality:
    """Everybody's recall, that of the new ones apart where it is given."""
    each = np.full(CUSTOMERS, recall)
    if new is not None:
        each[NEW] = new
    return Quality(each, np.full(CUSTOMERS, ndcg), {"activity new": NEW}, tail)


BASE = {"popularity": quality(0.1, 0.1, 0.01), "item-knn": quality(0.25)}


def test_better_than_everything_is_promoted() -> None:
    assert decide(quality(0.3), BASE, None).promoted
    assert decide(quality(0.3), BASE, quality(0.29)).promoted
    assert decide(quality(0.3, ndcg=0.4901), BASE, None).promoted  # 1.98 % below item-kNN


def test_no_worse_is_enough_only_where_what_serves_is_stale() -> None:
    same = quality(0.3)
    assert not decide(same, BASE, same).promoted
    assert decide(same, BASE, same, stale=True).promoted
    assert not decide(quality(0.29), BASE, same, stale=True).promoted


@pytest.mark.parametrize(
    ("candidate", "serving", "reason"),
    [
        (
            quality(0.25), None,
            "recall@20 0.2500 is not above item-knn's 0.2500 with confidence (difference +0.0000 to +0.0000)",
        ),
        (quality(0.3, ndcg=0.4), None, "ndcg@20 0.4000 is below item-knn's 0.5000"),
        (
            quality(0.3), quality(0.31),
            "recall@20 0.3000 is not above what serves now: 0.3100 with confidence (difference -0.0100 to -0.0100)",
        ),
        # Good on average, bad for one group.
        (
            quality(0.5, new=0.2), None,
            "group activity new (40 customers): recall@20 falls from 0.2500 to 0.2000",
        ),
        (quality(0.3, tail=0.2), None, "the long tail's share of places falls from 0.400 to 0.200"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_the_reason(
    candidate: Quality, serving: Quality | None, reason: str
) -> None:
    decision = decide(candidate, BASE, serving)
    assert (decision.promoted, decision.reason) == (False, reason)


def test_a_lead_that_chance_explains_is_no_lead() -> None:
    """Three in ten customers far better, three far worse, and a little more on average."""
    swings = np.tile([0.5, 0.5, 0.5, -0.4, -0.5, -0.5, 0.0, 0.0, 0.0, 0.0], 10)
    lucky = Quality(0.25 + swings, np.full(CUSTOMERS, 0.5), {}, 0.4)
    assert lucky.recall.mean() == pytest.approx(0.26)
    assert "with confidence" in decide(lucky, BASE, None).reason


def test_too_few_to_judge_by_are_no_judges() -> None:
    few = Quality(np.ones(3), np.ones(3), {}, 0.5)
    assert decide(few, {}, None).reason == "only 3 customers to judge by; 20 are needed"
