"""One contract for all recommenders, on a planted graph whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cdp.domain.ranking import Touch
from cdp.domain.voices import Vectors
from graph_ml.dataset import Interactions, Split, split
from graph_ml.metrics import evaluate
from graph_ml.models.alike import Alike
from graph_ml.models.contract import ProductFeatures, Recommender
from graph_ml.models.fusion import Fusion
from graph_ml.models.graph_filter import GraphFilter
from graph_ml.models.graph_sage import GraphSAGE
from graph_ml.models.item_knn import ItemKNN
from graph_ml.models.lightgcn import LightGCN
from graph_ml.models.popularity import Popularity
from graph_ml.models.random_walk import RandomWalk
from graph_ml.models.regression import Regression
from graph_ml.models.signals import Signals
from graph_ml.models.text_profile import TextProfile
from graph_ml.models.transitions import Transitions

GROUPS, PER_GROUP, CUSTOMERS = 4, 12, 160


class Distinct(Signals):
    """As many signals as there are communities: more would find differences within one."""

    def __init__(self) -> None:
        super().__init__(dimensions=GROUPS)


class Cautious(Regression):
    """In twelve products that all go together none is missed: a weak ridge finds some say nothing."""

    def __init__(self) -> None:
        super().__init__(ridge=30.0)


MODELS = [
    Alike, ItemKNN, GraphFilter, LightGCN, GraphSAGE, RandomWalk, Cautious, Distinct, Transitions, TextProfile, Fusion,
]  # fmt: skip


def planted(seed: int = 5) -> Split:
    """Four communities that never touch each other's products; later each wants more of its own."""
    dice = np.random.default_rng(seed)
    rows: list[tuple[int, int, str, int]] = []
    for customer in range(CUSTOMERS):
        own = (customer % GROUPS) * PER_GROUP + dice.permutation(PER_GROUP)[:8]
        rows += [(customer, int(p), "viewed", n) for n, p in enumerate(own[:5])]
        rows += [(customer, int(p), "purchased", 100 + n) for n, p in enumerate(own[5:])]
    rows.sort(key=lambda row: row[3])
    customer, product, verb, at = (list(column) for column in zip(*rows, strict=True))
    data = Interactions(
        [f"c{n}" for n in range(CUSTOMERS)], [f"p{n:02}" for n in range(GROUPS * PER_GROUP)],
        np.array(customer), np.array(product), verb, np.array(at),
    )  # fmt: skip
    return split(data, 100)


def features(products: int = GROUPS * PER_GROUP) -> ProductFeatures:
    """Texts that tell the communities apart, somewhat."""
    dice = np.random.default_rng(1)
    group = np.arange(products) // PER_GROUP
    text = np.eye(16, dtype=np.float32)[group] + dice.normal(0, 0.1, (products, 16)).astype(
        np.float32
    )
    return ProductFeatures(text.astype(np.float32), group.astype(np.int64), GROUPS)


def fitted(make: type[Recommender], data: Split) -> Recommender:
    model = make()
    model.fit(data, features(), lambda line: None)
    return model


@pytest.fixture(scope="module")
def data() -> Split:
    return planted()


@pytest.mark.parametrize("make", MODELS)
def test_each_model_finds_the_planted_communities(make: type[Recommender], data: Split) -> None:
    """Every one of a customer's seven other own products comes before any foreign one."""
    model = fitted(make, data)
    scores = model.scores(data.histories)
    for customer, history in enumerate(data.histories):
        row = scores[customer].copy()
        row[[touch.product for touch in history]] = -np.inf
        best = np.argsort(-row)[: PER_GROUP - 5]
        assert set(best // PER_GROUP) == {customer % GROUPS}


@pytest.mark.parametrize("make", [*MODELS, Popularity])
def test_scores_are_finite_and_have_a_row_each(make: type[Recommender], data: Split) -> None:
    scores = fitted(make, data).scores([data.histories[0], []])
    assert scores.shape == (2, GROUPS * PER_GROUP)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("make", [*MODELS, Popularity])
def test_the_same_seed_gives_the_same_model(make: type[Recommender], data: Split) -> None:
    first = fitted(make, data).scores(data.histories[:5])
    torch.rand(3)  # whatever others drew meanwhile
    second = fitted(make, data).scores(data.histories[:5])
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("make", [GraphFilter, LightGCN, GraphSAGE, RandomWalk, Fusion])
def test_a_customer_unknown_in_training_is_served_at_once(
    make: type[Recommender], data: Split
) -> None:
    new = [Touch(PER_GROUP + 1, "viewed", 1), Touch(PER_GROUP + 2, "purchased", 2)]
    row = fitted(make, data).scores([new])[0]
    row[[PER_GROUP + 1, PER_GROUP + 2]] = -np.inf
    assert set(np.argsort(-row)[:5] // PER_GROUP) == {1}


@pytest.mark.parametrize("make", [GraphFilter, GraphSAGE])
def test_a_product_that_nobody_touched_is_placed_by_its_text(
    make: type[Recommender],
) -> None:
    data = planted()
    without = [[t for t in history if t.product != 0] for history in data.histories]
    from graph_ml.dataset import positive

    cold = Split(data.customers, data.skus, without, {}, positive(without, len(data.skus)))
    voice = fitted(make, cold).voice()
    assert isinstance(voice, Vectors)
    near = voice.vectors @ (voice.vectors[0] / np.linalg.norm(voice.vectors[0]))
    own, foreign = near[1:PER_GROUP].mean(), near[PER_GROUP:].mean()
    assert own > foreign


def test_metrics_by_hand() -> None:
    histories = [[Touch(0, "viewed", 1)], [Touch(1, "viewed", 1)]]
    targets = {0: frozenset({2, 3}), 1: frozenset({0})}
    data = Split(["a", "b"], ["w", "x", "y", "z"], histories, targets, None)  # type: ignore[arg-type]
    scores = np.array([[9, 3, 2, 1], [1, 9, 3, 2]], dtype=np.float32)
    found = evaluate(lambda batch: scores[batch], data, k=2)
    ndcg = ((1 / np.log2(3)) / (1 + 1 / np.log2(3)) + 0) / 2
    assert found == {
        "recall@2": pytest.approx((0.5 + 0) / 2), "ndcg@2": pytest.approx(ndcg),
        "coverage@2": 3 / 4, "customers": 2.0,
    }  # fmt: skip


def test_popularity_forgets() -> None:
    """Two old touches of x, one fresh of y."""
    histories = [[Touch(0, "viewed", 0), Touch(1, "viewed", 100)], [Touch(0, "viewed", 0)]]
    data = Split(["a", "b"], ["x", "y"], histories, {}, None)  # type: ignore[arg-type]
    model = Popularity(half_life=0.25)
    model.fit(data, features(2), lambda line: None)
    assert model.counts == pytest.approx([2 * 0.5**4, 1.0])
