"""What the catalogue says of each product, as arrays in the order of a data set's skus."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cdp.models import Product
from graph_ml.models.contract import ProductFeatures
from graph_ml.text import encode


def product_text(title: str, brand: str, category: str, description: str) -> str:
    return ". ".join(part for part in (title, brand, category, description) if part)


def build(skus: Sequence[str], advance: Callable[[int], None] = lambda n: None) -> ProductFeatures:
    """BERT vectors of the texts (P, t); category indices (P,), -1 where there is none."""
    rows = {row.sku: row for row in Product.objects.filter(sku__in=list(skus))}
    texts = []
    for sku in skus:
        row = rows.get(sku)
        texts.append(
            product_text(row.title, row.brand, row.category, row.description) if row else "product"
        )
    names = sorted({row.category for row in rows.values() if row.category})
    number = {name: n for n, name in enumerate(names)}
    category = np.array(
        [number.get(rows[sku].category, -1) if sku in rows else -1 for sku in skus], dtype=np.int64
    )
    return ProductFeatures(encode(texts, advance), category, max(1, len(names)))
