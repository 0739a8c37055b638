"""What to suggest to a visitor of whom nothing is known but what they did in this visit.

Nothing is stored and nobody is identified: the slate follows from the products named in the request,
by the serving artifact's vectors, and so is the same on every channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils import timezone

from cdp.domain.ranking import Touch, history_weights
from cdp.domain.slates import POPULAR
from cdp.domain.variety import diversified
from cdp.domain.voices import Floats
from cdp.models import Artifact, Product, ProductVector, Slate
from cdp.selectors.alike import SPARE, nearest
from cdp.selectors.products import by_skus
from cdp.selectors.ranker import variety
from cdp.selectors.slates import (
    SESSION,
    Recommended,
    ServedSlate,
    serve,
    serving_artifact,
    showable,
)

MOST_TOUCHES = 100


@dataclass(frozen=True)
class SessionTouch:
    """What a visitor did with a product."""

    sku: str
    verb: str


@dataclass(frozen=True)
class _Told:
    """What touches say: each sku's part (d,) of the visitor's vector, and the verb it was last
    touched by."""

    parts: Mapping[str, Floats]
    verbs: Mapping[str, str]

    def vector(self) -> Floats:
        total: Floats = np.sum(list(self.parts.values()), axis=0)
        return total / np.float32(max(float(np.linalg.norm(total)), 1e-9))


def session_slate(touches: Sequence[SessionTouch], channel: str, first: int) -> ServedSlate | None:
    """The ``first`` products nearest to what was touched (oldest first), itself left out, that the
    channel may show. What the artifact does not know is passed over; where it knows none of it, the
    strangers' slate with the strategy ``popularity``. None where nothing serves."""
    artifact = serving_artifact()
    if artifact is None:
        return None
    told = _told(artifact, touches)
    if told is None:
        return _strangers(artifact, {touch.sku for touch in touches}, channel, first)
    vector = told.vector()
    found = nearest(artifact.pk, vector.tolist(), SPARE * first + len(touches))
    wanted = {sku for sku, _ in found} - {touch.sku for touch in touches}
    products = by_skus(wanted)
    shown = [(products[sku], score) for sku, score in found if sku in products]
    shown = [(product, score) for product, score in shown if showable(product, channel)]
    if not shown:  # nothing near may be shown here: better what is popular than an empty page
        return _strangers(artifact, {touch.sku for touch in touches}, channel, first)
    vectors = _vectors(artifact, [product.sku for product, _ in shown])
    items = [
        Recommended(rank, product, round(score, 6), _reason(told, vectors[product.sku]))
        for rank, (product, score) in enumerate(_varied(shown, vectors, first), start=1)
    ]
    return ServedSlate(artifact.pk, artifact.model, SESSION, timezone.now(), items)


def _told(artifact: Artifact, touches: Sequence[SessionTouch]) -> _Told | None:
    skus = list(dict.fromkeys(touch.sku for touch in touches))
    rows = ProductVector.objects.filter(artifact=artifact, product__sku__in=skus)
    given = {
        sku: np.asarray(vector, dtype=np.float32) * np.float32(fold)
        for sku, vector, fold in rows.values_list("product__sku", "vector", "fold_weight")
    }
    history = [Touch(skus.index(touch.sku), touch.verb, at) for at, touch in enumerate(touches)]
    known = {n: weight for n, weight in history_weights(history).items() if skus[n] in given}
    if not any(weight > 0 for weight in known.values()):
        return None  # what was only given back says what is not wanted, and not what is
    parts = {skus[n]: weight * given[skus[n]] for n, weight in known.items()}
    told = _Told(parts, {touch.sku: touch.verb for touch in touches})
    return told if np.linalg.norm(np.sum(list(parts.values()), axis=0)) > 1e-9 else None


def _vectors(artifact: Artifact, skus: Sequence[str]) -> dict[str, Floats]:
    rows = ProductVector.objects.filter(artifact=artifact, product__sku__in=skus)
    return {
        sku: np.asarray(vector, dtype=np.float32)
        for sku, vector in rows.values_list("product__sku", "vector")
    }


def _varied(
    shown: Sequence[tuple[Product, float]], vectors: Mapping[str, Floats], count: int
) -> list[tuple[Product, float]]:
    rows = np.stack([vectors[product.sku] for product, _ in shown])
    alike = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    scores = np.array([score for _, score in shown], dtype=np.float32)
    order = diversified(np.arange(len(shown)), scores, alike, variety().diversity, count)
    return [shown[n] for n in order.tolist()]


def _reason(told: _Told, product: Floats) -> dict[str, Any]:
    """The touch that brings the visitor nearest to the product, and its share among those that do."""
    near = {sku: float(part @ product) for sku, part in told.parts.items()}
    sku = max(near, key=lambda name: (near[name], name))
    if near[sku] <= 0:
        return dict(POPULAR)
    whole = sum(max(0.0, value) for value in near.values())
    verb = told.verbs[sku]
    return {
        "kind": "touch", "verb": verb, "sku": sku, "text": f"because you {verb} {sku}",
        "share": round(near[sku] / whole, 3),
    }  # fmt: skip


def _strangers(
    artifact: Artifact, without: set[str], channel: str, first: int
) -> ServedSlate | None:
    slate = (
        Slate.objects.select_related("artifact").filter(artifact=artifact, customer=None).first()
    )
    if slate is None:
        return None
    slate.items = [item for item in slate.items if item["sku"] not in without]
    return serve(slate, by_skus(item["sku"] for item in slate.items), channel, first)
