"""Recommendations as served on a channel."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from api.graphql.context import context_of
from api.graphql.types.content import Product, Viewer
from cdp.errors import CDPError
from cdp.models import Verb
from cdp.selectors import reasons
from cdp.selectors.reasons import Path
from cdp.selectors.slates import PERSONAL, Recommended, ServedSlate


@strawberry.type(description="Why a product is on a slate, read from the stores when asked for.")
class Explanation:
    text: str = strawberry.field(description="for people, in English")
    touched: Product | None = strawberry.field(description="what the customer did something with")
    verb: str | None
    others: int | None = strawberry.field(
        description="other customers who touched both products; null: fewer than 3, or the graph is away"
    )
    shared: list[str] = strawberry.field(description="what both products have in common")
    evidence: JSON = strawberry.field(
        description="share of graph, text and popularity in the score"
    )


@strawberry.type(description="One place of a slate.")
class Recommendation:
    rank: int
    score: float = strawberry.field(description="comparable within one slate")
    reason: JSON = strawberry.field(
        description="why: the touch that speaks most for it, its share, and what kinds of evidence spoke"
    )
    explored: bool = strawberry.field(
        description="true: ranked too low to be shown, and here to find out whether it suits"
    )
    product: Product
    item: strawberry.Private[Recommended]
    viewer: strawberry.Private[Viewer | None]

    @classmethod
    def of(cls, item: Recommended, viewer: Viewer | None) -> Recommendation:
        product = Product.of(item.product, viewer)
        reason = JSON(item.reason)
        return cls(
            rank=item.rank,
            score=item.score,
            reason=reason,
            explored=bool(item.reason.get("explored")),
            product=product,
            item=item,
            viewer=viewer,
        )

    @strawberry.field(description="The paths and words behind the reason, read from the graph.")
    async def explanation(self, info: Info[Any, Any]) -> Explanation:
        loaders, reason = context_of(info).loaders, self.item.reason
        touched, others = None, None
        if reason.get("kind") == "touch":
            sku = reason["sku"]
            touched = await loaders.products.load(sku)
            who = str(self.viewer.customer) if self.viewer else ""  # a visitor is no customer
            path = Path(who, sku, self.product.sku)
            try:
                others = await loaders.paths.load(path)
            except CDPError as error:
                if not error.retryable:  # a graph that is away takes the count away, not the slate
                    raise
        made = reasons.explanation(self.item.product, reason, touched, others)
        return Explanation(
            text=made.text, touched=Product.of(made.touched) if made.touched else None,
            verb=made.verb, others=made.others, shared=made.shared, evidence=JSON(made.evidence),
        )  # fmt: skip


strawberry.enum(Verb, name="Verb", description="What was done to a product.")


@strawberry.input(description="What a visitor did with a product.")
class SessionTouchInput:
    sku: str
    verb: Verb = Verb.VIEWED


@strawberry.type(
    description="An ordered list of recommendations, the same ranking on every channel."
)
class Slate:
    artifact: int = strawberry.field(description="the trained artifact it comes from")
    model: str
    strategy: str = strawberry.field(
        description="personal: ranked for this customer; session: by what was done in this visit; popularity: what most customers want"
    )
    computed_at: datetime.datetime = strawberry.field(description="from what was known then")
    personal: bool = strawberry.field(description="false: the customer is a stranger to the model")
    items: list[Recommendation]

    @classmethod
    def of(cls, served: ServedSlate, viewer: Viewer | None = None) -> Slate:
        items = [Recommendation.of(item, viewer) for item in served.items]
        return cls(
            artifact=served.artifact,
            model=served.model,
            personal=served.strategy == PERSONAL,
            items=items,
            strategy=served.strategy,
            computed_at=served.computed_at,
        )
