"""Why identifiers are one customer or not, and the versions of the rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from api.graphql.context import context_of
from api.graphql.types.customer import Identifier
from cdp.domain.partition import LINKED
from cdp.domain.rules_file import write
from cdp.models import RuleSet as RuleSetRow
from cdp.models import RuleSetStatus, Scope
from cdp.selectors.explain import Explanation, Step, told
from cdp.selectors.rules import rules_of

strawberry.enum(RuleSetStatus, name="RuleSetStatus")


@strawberry.type(description="Two identifiers seen together, or asserted one by a person.")
class IdentityStep:
    a: Identifier
    b: Identifier
    times_seen: int
    message_id: str | None = strawberry.field(description="of an event that names both")
    occurred_at: datetime | None
    refused: str | None = strawberry.field(description="why this link joins nobody; null: it joins")
    assertion: str | None = strawberry.field(description="who asserted it and why")

    @classmethod
    def of(cls, step: Step) -> IdentityStep:
        word, event = step.assertion, step.event
        return cls(
            a=Identifier.of(step.a), b=Identifier.of(step.b), times_seen=step.count,
            message_id=event.message_id if event else None,
            occurred_at=event.occurred_at if event else None,
            refused=None if step.verdict == LINKED else told(step.verdict),
            assertion=f"{word.actor}: {word.reason}" if word else None,
        )  # fmt: skip


@strawberry.type(description="The way from one identifier to another, and what it means.")
class IdentityExplanation:
    one_customer: bool
    customers: list[strawberry.ID]
    reason: str | None = strawberry.field(description="what keeps two customers apart")
    steps: list[IdentityStep]

    @classmethod
    def of(cls, found: Explanation) -> IdentityExplanation:
        return cls(
            one_customer=found.one,
            customers=[strawberry.ID(str(customer)) for customer in found.customers],
            reason=found.reason or None,
            steps=[IdentityStep.of(step) for step in found.steps],
        )


@strawberry.type(description="A version of the identity rules.")
class RuleSet:
    number: int
    status: RuleSetStatus
    reason: str
    actor: str
    created_at: datetime
    applied_at: datetime | None
    doing: str | None = strawberry.field(description="what a worker was asked to do with it")
    error: str | None
    rules: str = strawberry.field(description="the rules as YAML")
    row: strawberry.Private[RuleSetRow]

    @strawberry.field(description="what applying it would change; names people: identity:read")
    def simulation(self, info: Info[Any, Any]) -> JSON | None:
        context_of(info).caller.require(Scope.IDENTITY_READ)
        return self.row.simulation

    @strawberry.field(description="what applying it changed; names people: identity:read")
    def outcome(self, info: Info[Any, Any]) -> JSON | None:
        context_of(info).caller.require(Scope.IDENTITY_READ)
        return self.row.outcome

    @classmethod
    def of(cls, row: RuleSetRow) -> RuleSet:
        return cls(
            number=row.pk, status=RuleSetStatus(row.status), reason=row.reason, actor=row.actor,
            created_at=row.created_at, applied_at=row.applied_at, doing=row.doing or None,
            error=row.error or None, rules=write(rules_of(row)), row=row,
        )  # fmt: skip
