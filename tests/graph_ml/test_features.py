"""What the catalogue says of products, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cdp.domain.listing import Listing, listing
from cdp.errors import CDPError
from cdp.models import ProductImage
from cdp.stages.catalogue import write_products
from graph_ml.features import build

pytestmark = pytest.mark.django_db
SKUS = ["bag", "pot", "tea"]


def row(sku: str, **more: Any) -> Listing:
    return listing({"sku": sku, "title": sku, **more}, "USD")


def test_prices_are_standardised_logarithms_and_what_has_none_says_so() -> None:
    write_products([row("bag", price="0"), row("pot", price=str(np.e**2 - 1)), row("tea")], "test")
    found = build(SKUS).price
    assert np.allclose(found, [[-1, 1], [1, 1], [0, 0]], atol=1e-6)


def test_prices_of_several_currencies_are_not_compared() -> None:
    rows = [row("bag", price="1"), row("pot", price="2", currency="EUR"), row("tea")]
    write_products(rows, "test")
    assert build(SKUS).price.shape == (3, 0)


def test_pictures_have_length_one_and_a_product_without_has_none() -> None:
    write_products([row("bag", image_vector=[3, 4]), row("pot", image_vector="[0, 2]"), row("tea")], "test")  # fmt: skip
    assert np.allclose(build(SKUS).image, [[0.6, 0.8], [0, 1], [0, 0]])
    write_products([row("bag", image_vector=[0, -1])], "test")
    assert np.allclose(build(SKUS).image[0], [0, -1])
    write_products([row("bag")], "test")  # a file without pictures takes none away
    assert ProductImage.objects.count() == 2


def test_pictures_of_another_length_are_refused_by_name() -> None:
    write_products([row("bag", image_vector=[3, 4])], "test")
    with pytest.raises(CDPError, match="2 and 3 numbers") as caught:
        write_products([row("pot", image_vector=[1, 2, 3])], "test")
    assert (caught.value.code, caught.value.field) == ("bad_row", "image_vector")
    write_products([row("bag", image_vector=[1, 2, 3])], "test")  # a shop that changes its encoder


def test_a_price_that_is_none_takes_nobody_s_away() -> None:
    rows = [row("bag", price="3", currency="usd"), row("pot", price="7")]
    rows.append(row("tea", facts={"price": {"type": "text", "value": {"en": "cheap"}}}))
    rows.append(row("cup", facts={"price": {"type": "money", "value": {"amount": "-5", "currency": "USD"}}}))  # fmt: skip
    rows.append(row("pan", facts={"price": {"type": "money", "value": {"amount": "1e400", "currency": "EUR"}}}))  # fmt: skip
    write_products(rows, "test")
    found = build(["bag", "cup", "pan", "pot", "tea"]).price
    assert np.allclose(found, [[-1, 1], [0, 0], [0, 0], [1, 1], [0, 0]], atol=1e-6)
    with pytest.raises(CDPError, match="no price"):
        row("bag", price="1e400")


@pytest.mark.parametrize(
    "bad",
    [
        "[1, NaN]",
        "red",
        "[]",
        [1, "x"],
        7,
        "{}",
        [1e400],
        [1e39],
        [10**400],
        "[" * 9000,
        {"1": 2},
        '"12"',
        b"ab",
    ],
)
def test_what_is_no_vector_is_refused_by_name(bad: object) -> None:
    with pytest.raises(CDPError) as caught:
        row("bag", image_vector=bad)
    assert (caught.value.code, caught.value.field) == ("bad_row", "image_vector")


def test_queries_are_encoded_once_each() -> None:
    write_products([row(sku) for sku in SKUS], "test")
    found = build(SKUS, queries=["tea pot", "tea pot", "warm bag"])
    assert list(found.queries) == ["tea pot", "warm bag"]
    assert found.queries["tea pot"].shape == (found.text.shape[1],)
