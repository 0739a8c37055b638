"""What the demo promises, kept or not."""

from __future__ import annotations

from typing import Any

import pytest

from cdp.simulator.truth import Accuracy, shortfalls

KEPT = Accuracy(precision=0.98, recall=0.8, people=9, customers=9, identifiers=30, largest=5)
VOICE: dict[str, Any] = {
    "slate": {"score": 1.0, "alone": {"score": 0.2}},
    "content": {"score": 1.0, "alone": {"score": 0.9}},
}


def test_figures_at_the_bar_are_kept_promises() -> None:
    assert shortfalls(KEPT, VOICE) == []


@pytest.mark.parametrize(
    ("found", "voice", "said"),
    [
        (Accuracy(0.97, 0.8, 9, 9, 30, 5), VOICE, "pair precision 0.9700 is below 0.98"),
        (Accuracy(0.98, 0.79, 9, 9, 30, 5), VOICE, "pair recall 0.7900 is below 0.8"),
        (KEPT, VOICE | {"slate": {"score": 0.99, "alone": {"score": 0.2}}}, "slate consistency 0.2000 → 0.9900 does not end higher, at 1"),
        (KEPT, VOICE | {"content": {"score": 1.0, "alone": {"score": 1.0}}}, "content consistency 1.0000 → 1.0000 does not end higher, at 1"),
        (KEPT, {"slate": VOICE["slate"]}, "content consistency was not measured"),
    ],
)  # fmt: skip
def test_a_promise_not_kept_is_named(found: Accuracy, voice: dict[str, Any], said: str) -> None:
    assert shortfalls(found, voice) == [said]
