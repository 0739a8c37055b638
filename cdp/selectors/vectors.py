"""The serving artifact's vectors, as arrays."""

from __future__ import annotations

import numpy as np

from cdp.domain.ranking import ProductSpace
from cdp.models import ProductVector, Slate
from cdp.selectors.slates import serving_artifact


def product_space() -> ProductSpace | None:
    """Products of the serving artifact in sku order, (P, d) float32; None when nothing serves."""
    artifact = serving_artifact()
    if artifact is None:
        return None
    rows = list(
        ProductVector.objects.filter(artifact=artifact)
        .order_by("product__sku")
        .values_list("product__sku", "vector", "fold_weight")
    )
    if not rows:
        return None
    return ProductSpace(
        [sku for sku, _, _ in rows],
        np.array([vector for _, vector, _ in rows], dtype=np.float32),
        np.array([weight for _, _, weight in rows], dtype=np.float32),
    )


def strangers_skus() -> list[str]:
    slate = Slate.objects.filter(artifact=serving_artifact(), customer=None).first()
    return [item["sku"] for item in slate.items] if slate else []
