"""Read products and their current facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from cdp.models import Fact, Product, ProductImage


def by_skus(skus: Iterable[str]) -> dict[str, Product]:
    return {row.sku: row for row in Product.objects.filter(sku__in=list(skus))}


def picture_length() -> int | None:
    """How many numbers describe a picture in this shop; None while there is none."""
    known = ProductImage.objects.first()
    return None if known is None else len(known.vector)


def facts_of(products: Iterable[int]) -> dict[int, list[Fact]]:
    rows: dict[int, list[Fact]] = defaultdict(list)
    found = Fact.objects.filter(product_id__in=list(products), superseded_at=None)
    for row in found.order_by("key"):
        rows[row.product_id].append(row)
    return rows
