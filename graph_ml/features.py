"""What the catalogue says of each product, as arrays in the order of a data set's skus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdp.domain.commerce import MAX_PRICE
from cdp.models import Fact, FactType, Product, ProductImage
from graph_ml.models.contract import ProductFeatures
from graph_ml.text import encode

log = logging.getLogger(__name__)


def product_text(title: str, brand: str, category: str, description: str) -> str:
    return ". ".join(part for part in (title, brand, category, description) if part)


def build(
    skus: Sequence[str],
    advance: Callable[[int], None] = lambda n: None,
    queries: Iterable[str] = (),
) -> ProductFeatures:
    """BERT vectors of the texts (P, t) and of ``queries``; category indices (P,), -1 where there is
    none; prices and pictures."""
    rows = {row.sku: row for row in Product.objects.filter(sku__in=list(skus))}
    texts = _texts(skus, rows)
    names = sorted({row.category for row in rows.values() if row.category})
    number = {name: n for n, name in enumerate(names)}
    category = np.array(
        [number.get(rows[sku].category, -1) if sku in rows else -1 for sku in skus], dtype=np.int64
    )
    asked = sorted(set(queries))
    vectors = encode([*texts, *asked], advance)
    return ProductFeatures(
        vectors[: len(texts)], category, max(1, len(names)), _prices(skus), _images(skus),
        dict(zip(asked, vectors[len(texts) :], strict=True)),
    )  # fmt: skip


def texts_of(skus: Sequence[str]) -> list[str]:
    """The products' words; of what the catalogue does not know, that it is a product."""
    return _texts(skus, {row.sku: row for row in Product.objects.filter(sku__in=list(skus))})


def _texts(skus: Sequence[str], rows: Mapping[str, Product]) -> list[str]:
    found = (rows.get(sku) for sku in skus)
    return [
        product_text(row.title, row.brand, row.category, row.description) if row else "product"
        for row in found
    ]


def _prices(skus: Sequence[str]) -> NDArray[np.float32]:
    """Logarithms of the prices, standardised, and whether there is one (P, 2). Without columns where
    there are none, or of several currencies: their numbers cannot be compared."""
    rows = Fact.objects.filter(product__sku__in=list(skus), key="price", type=FactType.MONEY)
    values: Any = rows.filter(superseded_at=None).values_list("product__sku", "value")
    told = {sku: float(value["amount"]) for sku, value in values}
    told = {sku: amount for sku, amount in told.items() if 0 <= amount <= MAX_PRICE}
    currencies = {str(value["currency"]).upper() for sku, value in values if sku in told}
    if len(currencies) > 1:
        log.warning("prices are not learned from: they are in %s", ", ".join(sorted(currencies)))
    if len(currencies) != 1:
        return np.zeros((len(skus), 0), dtype=np.float32)
    place = {sku: n for n, sku in enumerate(skus)}
    found = np.zeros((len(skus), 2), dtype=np.float32)
    known = [place[sku] for sku in told]
    logs = np.log1p(list(told.values()))
    found[known, 0] = (logs - logs.mean()) / max(float(logs.std()), 1e-6)
    found[known, 1] = 1.0
    return found


def _images(skus: Sequence[str]) -> NDArray[np.float32]:
    rows = ProductImage.objects.filter(product__sku__in=list(skus))
    told = {
        sku: np.asarray(vector, np.float32)
        for sku, vector in rows.values_list("product__sku", "vector")
    }
    if not told:
        return np.zeros((len(skus), 0), dtype=np.float32)
    nothing = np.zeros(len(next(iter(told.values()))), dtype=np.float32)
    found = np.stack([told.get(sku, nothing) for sku in skus])
    unit: NDArray[np.float32] = found / np.maximum(
        np.linalg.norm(found, axis=1, keepdims=True), 1e-9
    )
    return unit
