"""The GraphQL schema: reads of stored results, one selector call a field."""

from __future__ import annotations

import uuid
from typing import Any

import strawberry
from asgiref.sync import sync_to_async
from django.conf import settings
from strawberry.extensions import (
    AddValidationRules,
    MaxTokensLimiter,
    ParserCache,
    ValidationCache,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

from api import query_encoder
from api.graphql import cursors
from api.graphql.context import context_of
from api.graphql.limits import ExtentLimit
from api.graphql.mutations import Mutation
from api.graphql.types.changes import ProfileChange, ProfileChangeConnection, ProfileChangeEdge
from api.graphql.types.consistency import ShopConsistency
from api.graphql.types.content import Product, SearchHit, SearchResult, SimilarProduct
from api.graphql.types.customer import Customer, IdentifierInput, page_info
from api.graphql.types.identity import IdentityExplanation, RuleSet
from api.graphql.types.receipt import Receipt
from api.graphql.types.slate import SessionTouchInput, Slate
from cdp.artifacts import encoder_digest
from cdp.channels import Channel
from cdp.domain.soundness import storable
from cdp.errors import CDPError
from cdp.models import Scope
from cdp.selectors import (
    alike,
    changes,
    consistency,
    customers,
    explain,
    receipts,
    rules,
    search,
    session,
)

MAX_TOKENS = 2000


@strawberry.type
class Query:
    @strawberry.field(description="The one customer that an identifier, or an id, belongs to.")
    async def customer(
        self,
        info: Info[Any, Any],
        identifier: IdentifierInput | None = None,
        id: strawberry.ID | None = None,
    ) -> Customer | None:
        context = context_of(info)
        context.caller.require(Scope.PROFILES_READ)
        if (identifier is None) == (id is None):
            raise CDPError("bad_identifier", "name either identifier or id", field="identifier")
        if identifier is not None:
            found = await context.loaders.customers.load((identifier.kind, identifier.value))
            return Customer.of(found.customer, found.identifier.id) if found else None
        try:
            public_id = uuid.UUID(str(id))
        except ValueError:
            raise CDPError("bad_identifier", "a customer id is a UUID", field="id") from None
        row = await sync_to_async(customers.by_public_id)(public_id)
        return Customer.of(row) if row else None

    @strawberry.field(description="Why two identifiers are one customer, or what keeps them apart.")
    async def explain_identity(
        self, info: Info[Any, Any], a: IdentifierInput, b: IdentifierInput
    ) -> IdentityExplanation:
        context_of(info).caller.require(Scope.IDENTITY_READ)
        pairs = ((a.kind, a.value), (b.kind, b.value))
        found = await sync_to_async(explain.explain_raw)(*pairs, settings.DEFAULT_PHONE_REGION)
        return await sync_to_async(IdentityExplanation.of)(found)

    @strawberry.field(description="A version of the identity rules; without a number, what holds.")
    async def rule_set(self, info: Info[Any, Any], number: int | None = None) -> RuleSet | None:
        context_of(info).caller.require(Scope.IDENTITY_READ)
        row = await sync_to_async(rules.rule_set_or_active)(number)
        return RuleSet.of(row) if row else None

    @strawberry.field(description="A product of the catalogue.")
    async def product(self, info: Info[Any, Any], sku: str) -> Product | None:
        context = context_of(info)
        context.caller.require(Scope.CONTENT_READ)
        row = await context.loaders.products.load(sku) if storable(sku) else None
        return Product.of(row) if row else None

    @strawberry.field(
        description="Products most like one, by what customers did with them and by their words."
    )
    async def similar_products(
        self, info: Info[Any, Any], sku: str, first: int = 10, channel: Channel | None = None
    ) -> list[SimilarProduct]:
        caller = context_of(info).caller
        caller.require(Scope.SLATES_READ)
        size, on = cursors.page_size(first), caller.channel_or(channel)
        found = await sync_to_async(alike.similar_products)(sku, size, on) if storable(sku) else []
        return [SimilarProduct(product=Product.of(row), score=score) for row, score in found]

    @strawberry.field(
        description="What to suggest to an unknown visitor, by what they did in this visit, oldest first; nothing is kept."
    )
    async def session_slate(
        self,
        info: Info[Any, Any],
        touches: list[SessionTouchInput],
        first: int = 10,
        channel: Channel | None = None,
    ) -> Slate | None:
        caller = context_of(info).caller
        caller.require(Scope.SLATES_READ)
        size, on = cursors.page_size(first), caller.channel_or(channel)
        if not 1 <= len(touches) <= session.MOST_TOUCHES:
            raise CDPError(
                "bad_touches", f"1 to {session.MOST_TOUCHES} touches are needed", field="touches"
            )
        told = [
            session.SessionTouch(one.sku, one.verb.value) for one in touches if storable(one.sku)
        ]
        served = await sync_to_async(session.session_slate)(told, on, size)
        return Slate.of(served) if served else None

    @strawberry.field(
        description="Products for a query, by its words and meaning and, where named, for a customer."
    )
    async def search(
        self,
        info: Info[Any, Any],
        query: str,
        customer: IdentifierInput | None = None,
        channel: Channel | None = None,
        first: int = 10,
    ) -> SearchResult:
        context = context_of(info)
        context.caller.require(Scope.SLATES_READ)
        size, on = cursors.page_size(first), context.caller.channel_or(channel)
        asked = " ".join(query.split())
        if not asked or len(asked) > search.LONGEST or not storable(asked):
            raise CDPError(
                "bad_query", f"1 to {search.LONGEST} characters are needed", field="query"
            )
        who = None
        if customer is not None:
            context.caller.require(Scope.PROFILES_READ)
            found = await context.loaders.customers.load((customer.kind, customer.value))
            who = found.customer.id if found else None
        return await sync_to_async(_searched)(asked, who, on, size)

    @strawberry.field(description="The shop's latest consistency report.")
    async def consistency(self, info: Info[Any, Any]) -> ShopConsistency | None:
        context_of(info).caller.require(Scope.CONSISTENCY_READ)
        row = await sync_to_async(consistency.latest_report)()
        return ShopConsistency.of(row) if row else None

    @strawberry.field(description="What became of a message that a source sent.")
    async def receipt(
        self, info: Info[Any, Any], message_id: str, source: str | None = None
    ) -> Receipt | None:
        context_of(info).caller.require(Scope.RECEIPTS_READ)
        if not storable(message_id + (source or "")):
            return None  # no message can have such an id
        found = await sync_to_async(receipts.receipt)(message_id, source)
        return Receipt.of(*found) if found else None

    @strawberry.field(description="Profiles that changed after a cursor; nothing is ever missed.")
    async def profile_changes(
        self, info: Info[Any, Any], first: int = 50, after: str | None = None
    ) -> ProfileChangeConnection:
        context_of(info).caller.require(Scope.CHANGES_READ)
        size = cursors.page_size(first)
        position = cursors.decode(after, int, int) if after else None
        start = (position[0], position[1]) if position else None
        page = await sync_to_async(changes.profile_changes)(size, start)
        edges = [
            ProfileChangeEdge(
                cursor=cursors.encode(row.changed_xid, row.customer_id), node=ProfileChange.of(row)
            )
            for row in page.profiles
        ]
        info_ = page_info(edges, page.has_next, after)
        return ProfileChangeConnection(page_info=info_, edges=edges)


def _searched(query: str, customer: int | None, channel: str, first: int) -> SearchResult:
    digest = encoder_digest(settings.TEXT_ENCODER)
    found = search.search(query, query_encoder.encode(query), digest, customer, channel, first)
    items = [SearchHit(score=score, product=Product.of(row)) for row, score in found.items]
    return SearchResult(strategy=found.strategy, items=items)


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(auto_camel_case=True),
    extensions=[
        lambda: ParserCache(maxsize=500),
        lambda: ValidationCache(maxsize=500),
        lambda: AddValidationRules([ExtentLimit]),
        lambda: MaxTokensLimiter(max_token_count=MAX_TOKENS),
    ],
)
