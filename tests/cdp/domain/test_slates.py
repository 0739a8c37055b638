"""A slate: order, what is left out, and the reason of every place."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from cdp.domain.mixing import Mixture
from cdp.domain.ranking import Touch
from cdp.domain.slates import Ranker, best, slates
from cdp.domain.voices import Counts, Lists, Vectors

SKUS = ["tea", "pot", "cup", "tent"]
ONE = np.ones(4, dtype=np.float32)
# Tea leads to the pot and, less, to the cup; the tent stands alone.
LEADS = sparse.csr_matrix(
    np.array([[0, 3, 2, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
)
LISTS = Lists(LEADS, ONE, ONE)
POPULAR = Counts(np.array([0, 0, 0, 9], dtype=np.float32))
RANKER = Ranker(SKUS, LISTS)
LOOKED = [Touch(0, "viewed", 1)]


def test_the_best_come_first_and_ties_go_by_place() -> None:
    assert best(np.array([1.0, 3.0, 1.0, 2.0]), set(), 3).tolist() == [1, 3, 0]
    assert best(np.array([1.0, 3.0, 1.0, 2.0]), {1, 3}, 9).tolist() == [0, 2]
    assert best(np.zeros(0), set(), 5).tolist() == []


def test_what_is_owned_is_left_out_unless_it_is_bought_again() -> None:
    owns = [*LOOKED, Touch(1, "purchased", 2)]
    [slate] = slates(RANKER, [owns])
    assert [item["sku"] for item in slate] == ["cup", "tea", "tent"]
    [slate] = slates(RANKER, [owns], again=frozenset({1}))
    assert [item["sku"] for item in slate][:2] == ["cup", "pot"]


def test_the_reason_is_the_touch_that_adds_most_and_what_kind_of_voice_spoke() -> None:
    [slate] = slates(RANKER, [[*LOOKED, Touch(1, "viewed", 2)]], count=1)
    # The pot was looked at last (1), tea before it (0.9): for the cup tea says 1.8, the pot 1.
    assert slate[0]["reason"] == {
        "kind": "touch", "verb": "viewed", "sku": "tea", "text": "because you viewed tea",
        "share": round(1.8 / 2.8, 3), "from": {"graph": 1.0},
    }  # fmt: skip


def test_what_no_touch_speaks_for_is_popular() -> None:
    ranker = Ranker(SKUS, Mixture({"lists": (0.1, LISTS), "popularity": (1.0, POPULAR)}))
    [slate] = slates(ranker, [LOOKED], count=2)
    assert [(item["sku"], item["reason"]["kind"]) for item in slate] == [
        ("tent", "popular"), ("pot", "touch")
    ]  # fmt: skip
    assert slate[0]["reason"]["from"] == {"graph": 0.0, "popularity": 1.0}


def test_removing_the_touch_that_is_named_lowers_the_score() -> None:
    """Faithfulness, on a space where every touch says something."""
    dice = np.random.default_rng(3)
    places = dice.normal(size=(30, 6)).astype(np.float32)
    ranker = Ranker([f"p{n}" for n in range(30)], Vectors(places, ONE.repeat(8)[:30], ONE.repeat(8)[:30]))  # fmt: skip
    fell = 0
    for _ in range(20):
        history = [Touch(int(n), "viewed", 0) for n in dice.permutation(30)[:5]]
        [slate] = slates(ranker, [history], count=1)
        item, named = ranker.index[slate[0]["sku"]], ranker.index[slate[0]["reason"]["sku"]]
        left = [touch for touch in history if touch.product != named]
        before = float(ranker.voice.scores([history])[0, item])
        fell += float(ranker.voice.scores([left])[0, item]) < before
    assert fell == 20


@pytest.mark.parametrize("count", [1, 4])
def test_many_histories_give_what_each_alone_gives(count: int) -> None:
    histories = [LOOKED, [Touch(1, "viewed", 1)], [Touch(3, "viewed", 1)]]
    together = list(slates(RANKER, histories, count))
    assert together == [next(slates(RANKER, [history], count)) for history in histories]


def test_a_history_that_says_nothing_to_the_model_has_no_slate() -> None:
    """The tent leads nowhere: who looked at it alone is a stranger, not given what comes first."""
    first, second = slates(RANKER, [[Touch(3, "viewed", 1)], LOOKED], 1)
    assert first == [] and second
