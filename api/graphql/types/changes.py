"""The feed of profile changes, for CRM integrations."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.relay import PageInfo

from api.graphql.types.customer import Counter, Trait, counters_of, traits_of
from cdp.models import Profile


@strawberry.type(description="A profile as it stands; absorbed ones are empty and point nowhere.")
class ProfileChange:
    customer_id: strawberry.ID
    version: int
    changed_at: datetime
    absorbed: bool = strawberry.field(
        description="true: merged into another customer, whose own change is in the feed"
    )
    traits: list[Trait]
    counters: list[Counter]

    @classmethod
    def of(cls, row: Profile) -> ProfileChange:
        return cls(
            customer_id=strawberry.ID(str(row.customer.public_id)), version=row.version,
            changed_at=row.changed_at, absorbed=row.absorbed, traits=traits_of(row),
            counters=counters_of(row),
        )  # fmt: skip


@strawberry.type
class ProfileChangeEdge:
    cursor: str
    node: ProfileChange


@strawberry.type(description="Changes in commit order; keep endCursor and ask again with it.")
class ProfileChangeConnection:
    page_info: PageInfo
    edges: list[ProfileChangeEdge]
