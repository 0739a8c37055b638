"""Recommendations as served on a channel."""

from __future__ import annotations

import datetime

import strawberry
from strawberry.scalars import JSON

from api.graphql.types.content import Product, Viewer
from cdp.selectors.slates import Recommended, ServedSlate


@strawberry.type(description="One place of a slate.")
class Recommendation:
    rank: int
    score: float = strawberry.field(description="comparable within one slate")
    reason: JSON = strawberry.field(
        description="why: the touch that speaks most for it, its share, and what kinds of evidence spoke"
    )
    product: Product

    @classmethod
    def of(cls, item: Recommended, viewer: Viewer) -> Recommendation:
        product = Product.of(item.product, viewer)
        return cls(rank=item.rank, score=item.score, reason=JSON(item.reason), product=product)


@strawberry.type(
    description="An ordered list of recommendations, the same ranking on every channel."
)
class Slate:
    artifact: int = strawberry.field(description="the trained artifact it comes from")
    model: str
    strategy: str = strawberry.field(
        description="personal: ranked for this customer; popularity: what most customers want"
    )
    computed_at: datetime.datetime = strawberry.field(description="from what was known then")
    personal: bool = strawberry.field(description="false: the customer is a stranger to the model")
    items: list[Recommendation]

    @classmethod
    def of(cls, served: ServedSlate, viewer: Viewer) -> Slate:
        items = [Recommendation.of(item, viewer) for item in served.items]
        return cls(
            artifact=served.artifact,
            model=served.model,
            personal=served.personal,
            items=items,
            strategy="personal" if served.personal else "popularity",
            computed_at=served.computed_at,
        )
