"""A customer: identifiers, profile, timeline, recommendations, consistency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from asgiref.sync import sync_to_async
from strawberry.relay import PageInfo
from strawberry.scalars import JSON
from strawberry.types import Info

from api.exposing import BUFFER
from api.graphql import cursors
from api.graphql.context import context_of
from api.graphql.types.consistency import CustomerDimension
from api.graphql.types.content import Viewer
from api.graphql.types.slate import Slate
from cdp.channels import Channel
from cdp.models import Customer as CustomerRow
from cdp.models import Event as EventRow
from cdp.models import Identifier as IdentifierRow
from cdp.models import Profile, Scope
from cdp.selectors import consistency as consistency_selector
from cdp.selectors import customers as selector
from cdp.selectors import slates as slate_selector


@strawberry.input(description="A raw identifier; it is normalised as events' are.")
class IdentifierInput:
    kind: str
    value: str


@strawberry.type(description="An identifier that belongs to the customer.")
class Identifier:
    kind: str
    value: str
    shared: bool = strawberry.field(description="true: of many people; it joins nobody")
    first_seen_at: datetime
    last_seen_at: datetime

    @classmethod
    def of(cls, row: IdentifierRow) -> Identifier:
        return cls(
            kind=row.kind, value=row.value, shared=row.shared, first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
        )  # fmt: skip


@strawberry.type(description="A trait with where its value comes from.")
class Trait:
    key: str
    value: JSON
    source: str
    channel: str
    occurred_at: datetime
    message_id: str


@strawberry.type(description="How often, how many, for how much, on a channel.")
class Counter:
    channel: str
    verb: str
    events: int
    quantity: str
    amount: str


@strawberry.type(description="An event of the customer's timeline.")
class Event:
    message_id: str
    source: str
    channel: str
    type: str
    name: str
    verb: str
    occurred_at: datetime
    received_at: datetime
    properties: JSON

    @classmethod
    def of(cls, row: EventRow) -> Event:
        return cls(
            message_id=row.message_id, source=row.source.name, channel=row.channel, type=row.type,
            name=row.name, verb=row.verb, occurred_at=row.occurred_at, received_at=row.received_at,
            properties=JSON(row.payload.get("properties") or {}),
        )  # fmt: skip


@strawberry.type
class EventEdge:
    cursor: str
    node: Event


@strawberry.type(description="Events, newest first.")
class EventConnection:
    page_info: PageInfo
    edges: list[EventEdge]


@strawberry.type(description="One person, however many identifiers they use.")
class Customer:
    id: strawberry.ID
    row: strawberry.Private[CustomerRow]
    asked_by: strawberry.Private[int | None] = None

    @classmethod
    def of(cls, row: CustomerRow, asked_by: int | None = None) -> Customer:
        return cls(id=strawberry.ID(str(row.public_id)), row=row, asked_by=asked_by)

    @strawberry.field(description="Every identifier of the customer, oldest first.")
    async def identifiers(self, info: Info[Any, Any]) -> list[Identifier]:
        context = _reading(info)
        return [Identifier.of(r) for r in await context.loaders.identifiers.load(self.row.id) or []]

    @strawberry.field(description="What is known of the customer, with provenance.")
    async def traits(self, info: Info[Any, Any]) -> list[Trait]:
        context = _reading(info)
        profile = await context.loaders.profiles.load(self.row.id)
        if profile is None:
            return []
        if self.asked_by and context.caller.channel:
            values = {key: trait["value"] for key, trait in profile.traits.items()}
            detail = {"version": profile.version, "traits": values}
            channel = context.caller.channel
            BUFFER.add("profile", channel, self.asked_by, self.row.public_id, detail)
        return traits_of(profile)

    @strawberry.field(description="Views, carts, purchases, returns and spend, by channel.")
    async def counters(self, info: Info[Any, Any]) -> list[Counter]:
        context = _reading(info)
        profile = await context.loaders.profiles.load(self.row.id)
        return counters_of(profile) if profile else []

    @strawberry.field(description="The customer's events on every channel.")
    async def timeline(
        self, info: Info[Any, Any], first: int = 20, after: str | None = None
    ) -> EventConnection:
        _reading(info)
        size = cursors.page_size(first)
        position = cursors.decode(after, str, int) if after else None
        try:
            start = (datetime.fromisoformat(position[0]), position[1]) if position else None
        except ValueError:
            start = (cursors.decode("", str, int)[0], 0)
        page = await sync_to_async(selector.timeline)(self.row.id, size, start)
        edges = [
            EventEdge(
                cursor=cursors.encode(row.occurred_at.isoformat(), row.id), node=Event.of(row)
            )
            for row in page.events
        ]
        return EventConnection(page_info=page_info(edges, page.has_next, after), edges=edges)

    @strawberry.field(description="What to suggest on a channel (the key's own by default).")
    async def recommendations(
        self, info: Info[Any, Any], first: int = 10, channel: Channel | None = None
    ) -> Slate | None:
        context = context_of(info)
        context.caller.require(Scope.SLATES_READ)
        on = context.caller.channel_or(channel)
        size = cursors.page_size(first)
        stored = await context.loaders.slates.load(self.row.id)
        if stored is None:
            return None
        skus = [item["sku"] for item in stored.items]
        rows = await context.loaders.products.load_many(skus)
        products = {row.sku: row for row in rows if row is not None}
        served = slate_selector.serve(stored, products, on, size)
        viewer = Viewer(self.asked_by or 0, self.row.public_id, on)
        if self.asked_by:
            detail = slate_selector.exposed(served)
            BUFFER.add("slate", on, self.asked_by, self.row.public_id, detail)
        return Slate.of(served, viewer)

    @strawberry.field(description="How alike the channels treated this customer in the last week.")
    async def consistency(self, info: Info[Any, Any]) -> list[CustomerDimension]:
        context_of(info).caller.require(Scope.CONSISTENCY_READ)
        scores = await sync_to_async(consistency_selector.of_customer)(self.row.id)
        return [CustomerDimension.of(name, pairs) for name, pairs in scores.items()]


def _reading(info: Info[Any, Any]) -> Any:
    context = context_of(info)
    context.caller.require(Scope.PROFILES_READ)
    return context


def traits_of(profile: Profile) -> list[Trait]:
    return [
        Trait(
            key=key, value=t["value"], source=t["source"], channel=t["channel"],
            occurred_at=datetime.fromisoformat(t["occurredAt"]), message_id=t["messageId"],
        )
        for key, t in sorted(profile.traits.items())
    ]  # fmt: skip


def counters_of(profile: Profile) -> list[Counter]:
    return [
        Counter(channel=channel, verb=verb, **numbers)
        for channel, verbs in sorted(profile.counters.items())
        for verb, numbers in sorted(verbs.items())
    ]


def page_info(edges: list[Any], has_next: bool, after: str | None) -> PageInfo:
    return PageInfo(
        has_next_page=has_next, has_previous_page=after is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else after,
    )  # fmt: skip
