"""The formulas against the worked example of the specification, and by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.domain import consistency as c
from cdp.domain.consistency import Measured, PairScore, Shown

AT = datetime(2026, 11, 1, 10, tzinfo=UTC)


def shown(channel: str, hours: float = 0, items: str = "", **rest: object) -> Shown:
    served_as = str(rest.pop("served_as", "alice"))
    return Shown(channel, AT + timedelta(hours=hours), served_as, tuple(items), **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "two", "p", "expected"),
    [
        ("ABCE", "ACBG", 0.8, 0.7920),
        ("ABCDE", "ACBFG", 0.8, 0.7306),
        ("PQARS", "ABCDE", 0.8, 0.1502),
        ("ABC", "ABC", 0.9, 1.0),
        ("ABC", "XYZ", 0.9, 0.0),
        ("ABC", "ABCDEF", 0.9, 1.0),
        ("", "", 0.9, 1.0),
        ("", "A", 0.9, 0.0),
    ],
)
def test_rank_biased_overlap(one: str, two: str, p: float, expected: float) -> None:
    assert c.rbo_ext(one, two, p) == pytest.approx(expected, abs=5e-5)


@given(st.permutations("ABCDEFG"), st.permutations("ABCDEFG"), st.sampled_from([0.8, 0.9]))
def test_overlap_is_symmetric_and_a_share(one: list[str], two: list[str], p: float) -> None:
    score = c.rbo_ext(one, two, p)
    assert score == pytest.approx(c.rbo_ext(two, one, p))
    assert 0 <= score <= 1 + 1e-9


def test_what_one_channel_may_not_show_is_left_out_first() -> None:
    """Web A B C D E, app A C B F G; D sold out, F for the app only."""
    showable = {"web": frozenset("ABCEG"), "app": frozenset("ABCEFG")}
    result = c.slate_score(shown("web", 0, "ABCDE"), shown("app", 4, "ACBFG"), showable)
    assert isinstance(result, PairScore)
    assert result.score == pytest.approx(0.7920, abs=5e-5)
    assert result.difference == "rank 2: B (web) ≠ C (app)"


def test_slates_that_cannot_be_compared_say_why() -> None:
    few = {"web": frozenset("AB"), "app": frozenset("AB")}
    assert c.slate_score(shown("web", 0, "ABC"), shown("app", 0, "ABC"), few) == "fewer_than_three"
    half = {"web": frozenset("ABCDEFGH"), "app": frozenset("ABC")}
    assert (
        c.slate_score(shown("web", 0, "ABCDEFGH"), shown("app", 0, "ABC"), half) == "not_comparable"
    )


def test_correction_for_strangers() -> None:
    assert c.corrected(0.792, 0.31) == pytest.approx(0.699, abs=1e-3)
    assert c.corrected(1.0, 0.96) == 0.0


def test_pairs_are_the_nearest_in_time_and_used_once() -> None:
    web, app = [shown("web", h) for h in (0, 10)], [shown("app", h) for h in (1, 2, 40)]
    pairs = c.nearest_pairs([*web, *app], timedelta(hours=24))
    hours = [tuple(round((x.at - AT).total_seconds() / 3600) for x in pair) for pair in pairs]
    assert hours == [(1, 0), (2, 10)]


def test_identity_data_and_content_scores() -> None:
    a = shown("web", served_as="x", traits={"name": "A", "city": "B"}, facts={"p/weight": "1.2 kg"})
    b = shown("app", served_as="y", traits={"name": "A", "city": "C"}, facts={"p/weight": "1.3 kg"})
    assert c.identity_score(a, b).score == 0
    data = c.data_score(a, b)
    assert data == PairScore(("web", "app"), 0.5, "city: B (web) ≠ C (app)")
    content = c.content_score(a, b)
    assert content is not None and content.score == 0
    assert c.content_score(a, shown("app")) is None


def test_wilson_and_shop_score() -> None:
    assert c.wilson(186, 200) == pytest.approx((0.886, 0.958), abs=5e-4)
    good = Measured(0.9, 0.81, 0.95, 250, 500, {})
    small = Measured(0.1, 0.05, 0.2, 12, 20, {})
    assert c.shop_score({"slate": good, "identity": small}) == pytest.approx(0.81)
    assert c.shop_score({"identity": small}) is None
    assert [m.status for m in (good, small)] == ["compared", "not_measured"]


def test_the_interval_belongs_to_the_score() -> None:
    """One of three pairs differs for everybody: no customer is wholly alike."""
    found = c.measure({str(n): [1.0, 0.0, 1.0] for n in range(100)}, {}, binary=True)
    assert (found.score, found.low, found.high) == (pytest.approx(2 / 3),) * 3
    whole = c.measure({str(n): [float(n < 186)] for n in range(200)}, {}, binary=True)
    assert (whole.low, whole.high) == pytest.approx((0.886, 0.958), abs=5e-4)


def test_every_customer_weighs_one_and_the_interval_is_repeatable() -> None:
    scores = {"a": [1.0] * 9, "b": [0.0]}
    first = c.measure(scores, {"no_consent": 2})
    assert first.score == 0.5
    assert (first.customers, first.pairs, first.left_out) == (2, 10, {"no_consent": 2})
    assert c.measure(scores, {}) == c.measure(dict(reversed(scores.items())), {})
