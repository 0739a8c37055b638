"""Read stored recommendations and apply what a channel may show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from cdp.graph.projection import refusing
from cdp.models import Artifact, ArtifactStatus, Product, Slate

PERSONAL, SESSION, POPULARITY = "personal", "session", "popularity"


@dataclass(frozen=True)
class Recommended:
    """One place of a slate as a channel may show it; ``rank`` starts at 1."""

    rank: int
    product: Product
    score: float
    reason: dict[str, Any]


@dataclass(frozen=True)
class ServedSlate:
    """``strategy``: personal, session, or popularity."""

    artifact: int
    model: str
    strategy: str
    computed_at: datetime
    items: list[Recommended]


def exposed(served: ServedSlate) -> dict[str, Any]:
    """What an exposure says of a slate (see ``cdp.models.Exposure``)."""
    new = [item.product.sku for item in served.items if item.reason.get("explored")]
    shown = {"items": [item.product.sku for item in served.items], "artifact": served.artifact}
    return shown | ({"explored": new} if new else {})


def serving_artifact() -> Artifact | None:
    return Artifact.objects.filter(status=ArtifactStatus.SERVING).first()


def served_before() -> Artifact | None:
    """What a rollback would let serve again; None where nothing is kept."""
    rows = Artifact.objects.filter(status=ArtifactStatus.RETIRED, served_from__isnull=False)
    before = rows.order_by("-served_from").first()
    return before if before is not None and before.slates.exists() else None


def slates_of(customers: Iterable[int]) -> dict[int, Slate]:
    """Each customer's slate of the serving artifact.

    The strangers' one where they have none, and for who refused personalization, at once.
    """
    artifact = serving_artifact()
    if artifact is None:
        return {}
    wanted = set(customers)
    personal = wanted - refusing(wanted)
    rows = Slate.objects.filter(artifact=artifact).filter(
        Q(customer_id__in=personal) | Q(customer=None)
    )
    found = {row.customer_id: row for row in rows.select_related("artifact")}
    strangers = found.get(None)
    chosen = {customer: found.get(customer, strangers) for customer in wanted}
    return {customer: slate for customer, slate in chosen.items() if slate is not None}


def showable(product: Product, channel: str) -> bool:
    return product.in_stock and (not product.channels or channel in product.channels)


def serve(slate: Slate, products: dict[str, Product], channel: str, first: int) -> ServedSlate:
    """The best ``first`` items that this channel may show. The ranking is the same on every one."""
    items: list[Recommended] = []
    for item in slate.items:
        product = products.get(item["sku"])
        if product is not None and showable(product, channel):
            items.append(Recommended(len(items) + 1, product, item["score"], item["reason"]))
        if len(items) == first:
            break
    return ServedSlate(
        slate.artifact_id,
        slate.artifact.model,
        POPULARITY if slate.customer_id is None else PERSONAL,
        slate.computed_at,
        items,
    )
