"""What is alike by the serving artifact's vectors: through the index where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from pgvector import Vector as PgVector

from cdp.models import Product, ProductVector
from cdp.selectors.slates import serving_artifact, showable

# How many of the graph's nodes a search keeps in hand: recall for time (pgvector's own is 40).
SEARCH = 200
SPARE = 4  # so many times more are looked at, because some may not be shown


def nearest(artifact: int, vector: Iterable[float], count: int) -> list[tuple[str, float]]:
    """The ``count`` products (sku, inner product) whose vectors are nearest to one (d,)."""
    asked = PgVector(list(vector))
    text, size = asked.to_text(), f"vector({asked.dimensions()})"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL hnsw.ef_search = {max(SEARCH, count)}")
        # The artifact stands in the text, so that its partial index is seen to serve.
        cursor.execute(
            f"SELECT p.sku, -near.far FROM (SELECT product_id, vector::{size} <#> %s::{size} AS far "
            f"FROM cdp_productvector WHERE artifact_id = {int(artifact)} "
            f"ORDER BY vector::{size} <#> %s::{size} LIMIT %s) AS near "
            "JOIN cdp_product p ON p.id = near.product_id ORDER BY near.far, p.sku",
            [text, text, count],
        )
        return [(sku, float(score)) for sku, score in cursor.fetchall()]


def similar_products(sku: str, count: int, channel: str) -> list[tuple[Product, float]]:
    """The products most like one (cosine), itself left out, as the channel may
    show them; none where the serving artifact does
    not know it or has no vectors."""
    artifact = serving_artifact()
    row = ProductVector.objects.filter(artifact=artifact, product__sku=sku).first()
    if artifact is None or row is None:
        return []
    found = nearest(artifact.pk, row.vector, SPARE * count + 1)
    shown = [
        (product, score)
        for product, score in _products(found)
        if product.sku != sku and showable(product, channel)
    ]
    return shown[:count]


def _products(found: Sequence[tuple[str, float]]) -> list[tuple[Product, float]]:
    rows = {row.sku: row for row in Product.objects.filter(sku__in=[sku for sku, _ in found])}
    return [(rows[sku], score) for sku, score in found]
