"""What callers may change: so far the identity rules. One call of the pipeline a field."""

from __future__ import annotations

from typing import Any

import strawberry
from asgiref.sync import sync_to_async
from strawberry.types import Info

from api.graphql.context import context_of
from api.graphql.types.identity import RuleSet
from cdp import changing
from cdp.domain import rules_file
from cdp.models import RuleSet as Row
from cdp.models import Scope


@strawberry.type
class Mutation:
    @strawberry.mutation(
        description="Keep changed rules as a draft and have a worker simulate them; nothing else changes."
    )
    async def simulate_rules(self, info: Info[Any, Any], rules: str, reason: str) -> RuleSet:
        caller = context_of(info).caller
        caller.require(Scope.RULES_WRITE)

        def draft() -> Row:
            made = changing.draft_rules(rules_file.read(rules), caller.name, reason)
            return changing.ask_rules(made.pk, "simulate", caller.name)

        return RuleSet.of(await sync_to_async(draft)())

    @strawberry.mutation(description="Have a worker make a simulated draft the rules that hold.")
    async def apply_rules(self, info: Info[Any, Any], number: int) -> RuleSet:
        caller = context_of(info).caller
        caller.require(Scope.RULES_WRITE)
        return RuleSet.of(await sync_to_async(changing.ask_rules)(number, "apply", caller.name))

    @strawberry.mutation(description="Drop a draft.")
    async def discard_rules(self, info: Info[Any, Any], number: int) -> RuleSet:
        caller = context_of(info).caller
        caller.require(Scope.RULES_WRITE)
        return RuleSet.of(await sync_to_async(changing.discard_rules)(number, caller.name))
