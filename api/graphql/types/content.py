"""A product as a channel may speak of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from api.exposing import BUFFER
from api.graphql.context import context_of
from cdp.channels import Channel
from cdp.errors import CDPError
from cdp.models import Fact as FactRow
from cdp.models import Product as ProductRow
from cdp.models import Scope
from cdp.selectors import content as selector

strawberry.enum(Channel, name="Channel", description="Where a shop speaks.")


@dataclass(frozen=True)
class Viewer:
    """For whom a product is shown, so that the exposure names them."""

    identifier: int
    customer: UUID
    channel: str


@strawberry.type(description="A canonical fact with its version; every text derives from facts.")
class Fact:
    key: str
    type: str
    value: JSON
    version: int
    origin: str

    @classmethod
    def of(cls, row: FactRow) -> Fact:
        return cls(
            key=row.key,
            type=row.type,
            value=JSON(row.value),
            version=row.version,
            origin=row.origin,
        )


@strawberry.type(
    description="A product's text for one channel and locale, checked against the facts."
)
class Content:
    text: str
    format: str
    requested_locale: str
    locale: str = strawberry.field(description="the locale given, which may be a fallback")
    origin: str = strawberry.field(description="variant (stored) or template (made now)")
    facts: JSON = strawberry.field(description="the facts stated: {key: {version, value}}")


@strawberry.type(description="A product of the catalogue.")
class Product:
    sku: str
    title: str
    category: str
    brand: str
    in_stock: bool
    row: strawberry.Private[ProductRow]
    viewer: strawberry.Private[Viewer | None] = None

    @classmethod
    def of(cls, row: ProductRow, viewer: Viewer | None = None) -> Product:
        return cls(
            sku=row.sku, title=row.title, category=row.category, brand=row.brand,
            in_stock=row.in_stock, row=row, viewer=viewer,
        )  # fmt: skip

    @strawberry.field(description="The current canonical facts.")
    async def facts(self, info: Info[Any, Any]) -> list[Fact]:
        context = context_of(info)
        context.caller.require(Scope.CONTENT_READ)
        return [Fact.of(row) for row in await context.loaders.facts.load(self.row.id) or []]

    @strawberry.field(description="The text for a channel (the key's own by default) in a locale.")
    async def content(
        self, info: Info[Any, Any], channel: Channel | None = None, locale: str = "en"
    ) -> Content:
        context = context_of(info)
        context.caller.require(Scope.CONTENT_READ)
        asked = channel or (Channel(self.viewer.channel) if self.viewer else None)
        on = context.caller.channel_or(asked)
        spec = await context.loaders.specs.load((on, locale))
        if spec is None:
            raise CDPError("no_channel_spec", f"no text spec for {on} in {locale}", field="locale")
        facts = selector.fact_values(await context.loaders.facts.load(self.row.id) or [])
        variant = await context.loaders.variants(on, spec.locale).load(self.row.id)
        made = selector.content(spec, locale, facts, variant)
        who = self.viewer
        detail = {"sku": self.sku, "locale": made.locale, "facts": made.facts}
        BUFFER.add(
            "content", on, who.identifier if who else None, who.customer if who else None, detail
        )
        return Content(
            text=made.text, format=made.format, requested_locale=made.requested_locale,
            locale=made.locale, origin=made.origin, facts=JSON(made.facts),
        )  # fmt: skip


@strawberry.type(description="A product that a search found.")
class SearchHit:
    score: float = strawberry.field(description="fused ranks, comparable within one search")
    product: Product


@strawberry.type(description="What a search found, best first.")
class SearchResult:
    strategy: str = strawberry.field(
        description="what was listened to: words, meaning, customer; meaning once a worker has read the catalogue"
    )
    items: list[SearchHit]


@strawberry.type(description="A product like another.")
class SimilarProduct:
    score: float = strawberry.field(description="cosine of their vectors, at most 1")
    product: Product
