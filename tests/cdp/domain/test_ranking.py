"""What a history says."""

from __future__ import annotations

import pytest

from cdp.domain.ranking import Touch, history_weights


def test_buying_says_more_than_looking_and_later_more_than_earlier() -> None:
    weights = history_weights(
        [Touch(0, "viewed", 1), Touch(1, "purchased", 2), Touch(2, "viewed", 3)]
    )
    assert weights[1] > weights[2] > weights[0]


def test_returning_takes_back() -> None:
    kept = history_weights([Touch(0, "viewed", 1), Touch(0, "purchased", 2)])[0]
    returned = history_weights(
        [Touch(0, "viewed", 1), Touch(0, "purchased", 2), Touch(0, "returned", 3)]
    )[0]
    assert returned == pytest.approx(kept - 2)
