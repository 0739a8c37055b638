"""GraphSAGE: each behaviour is heard by itself, and a product that nobody touched has a place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cdp.domain.voices import Vectors
from graph_ml.dataset import Query, Split, positive
from graph_ml.models.contract import ProductFeatures
from graph_ml.models.graph_sage import GraphSAGE
from tests.graph_ml.test_models import GROUPS, PER_GROUP, planted

PRODUCTS = GROUPS * PER_GROUP
GROUP = np.arange(PRODUCTS) // PER_GROUP
NEW = 0  # nobody touched it
SILENT = ProductFeatures(np.ones((PRODUCTS, 4), np.float32), np.full(PRODUCTS, -1), 1)


def without_the_new_one() -> Split:
    data = planted()
    histories = [[t for t in history if t.product != NEW] for history in data.histories]
    return replace(data, histories=histories, targets={}, matrix=positive(histories, PRODUCTS))


def own_and_foreign(data: Split, features: ProductFeatures) -> tuple[float, float]:
    """How near the new product is to its own kind, and to the nearest other kind."""
    model = GraphSAGE()
    model.fit(data, features, lambda line: None)
    voice = model.voice()
    assert isinstance(voice, Vectors)
    unit = voice.vectors / np.linalg.norm(voice.vectors, axis=1, keepdims=True)
    near = unit @ unit[NEW]
    kinds = [float(near[kind == GROUP][1 if kind == 0 else 0 :].mean()) for kind in range(GROUPS)]
    return kinds[0], max(kinds[1:])


def test_each_behaviour_is_a_relation_of_its_own() -> None:
    data = planted()
    data = replace(
        data,
        histories=[[t._replace(verb="added" if t.product % 2 else t.verb) for t in h] for h in data.histories],
    )  # fmt: skip
    model = GraphSAGE()
    model.fit(data, SILENT, lambda line: None)
    assert model.parameters_used["relations"] == [
        "added", "added by", "has", "in", "viewed", "viewed by"
    ]  # fmt: skip


def test_a_new_product_is_placed_by_its_picture() -> None:
    dice = np.random.default_rng(2)
    image = np.eye(GROUPS, dtype=np.float32)[GROUP] + dice.normal(0, 0.1, (PRODUCTS, GROUPS))
    told = replace(SILENT, image=image.astype(np.float32))
    own, foreign = own_and_foreign(without_the_new_one(), told)
    assert own > foreign + 0.2


def test_a_new_product_is_placed_by_its_price() -> None:
    price = np.stack([GROUP - 1.5, np.ones(PRODUCTS)], axis=1).astype(np.float32)
    own, foreign = own_and_foreign(without_the_new_one(), replace(SILENT, price=price))
    assert own > foreign


@pytest.mark.parametrize("searched", [True, False])
def test_a_new_product_is_placed_by_what_people_searched_for(searched: bool) -> None:
    """Each kind has its words; the new one was found by its kind's, or by nothing."""
    words = {f"kind {kind}": np.eye(4, dtype=np.float32)[kind] for kind in range(GROUPS)}
    found = [Query(f"kind {GROUP[p]}", p, 1) for p in range(PRODUCTS) if p != NEW or searched]
    data = replace(without_the_new_one(), queries=found)
    own, foreign = own_and_foreign(data, replace(SILENT, queries=words))
    assert (own > foreign + 0.2) == searched
