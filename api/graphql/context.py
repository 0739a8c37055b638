"""Who asks, what they may, and the loaders of one request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from strawberry.types import Info

from api.graphql.loaders import Loaders
from cdp.channels import Channel
from cdp.errors import CDPError
from cdp.models import Scope
from cdp.selectors.sources import api_key


@dataclass(frozen=True)
class Caller:
    """A channel app, an integration, or a member of staff in GraphiQL."""

    name: str
    scopes: frozenset[str]
    channel: str = ""

    def require(self, scope: Scope) -> None:
        """Raise ``forbidden`` (or ``unauthenticated``) unless this caller has the scope."""
        if not self.name:
            raise CDPError("unauthenticated", "send an API key: Authorization: Bearer <key>")
        if scope.value not in self.scopes:
            raise CDPError("forbidden", f"the key {self.name} lacks the scope {scope.value}")

    def channel_or(self, asked: Channel | None) -> str:
        """The channel served: the one asked for, else the key's own.

        Raises:
            CDPError: ``missing_channel``; ``forbidden`` when the key belongs to another channel.
        """
        if asked is not None and self.channel and asked.value != self.channel:
            raise CDPError(
                "forbidden", f"the key {self.name} is for {self.channel} only", field="channel"
            )
        if channel := (asked.value if asked else self.channel):
            return channel
        raise CDPError("missing_channel", "name a channel: the key has none", field="channel")


@dataclass
class Context:
    request: HttpRequest
    response: HttpResponse
    caller: Caller
    loaders: Loaders = field(default_factory=Loaders)


def context_of(info: Info[Any, Any]) -> Context:
    return cast(Context, info.context)


async def identify(request: HttpRequest) -> Caller:
    """The caller by its bearer key, or staff by their admin session."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        key = await sync_to_async(api_key)(value.strip())
        if key is None:
            raise CDPError("unauthenticated", "this API key is unknown or disabled")
        return Caller(key.name, frozenset(key.scopes), key.channel)
    user: User | AnonymousUser = await request.auser()
    if user.is_authenticated and user.is_staff:
        may_change = await user.ahas_perm("cdp.change_rules")
        scopes = {scope.value for scope in Scope} - (set() if may_change else {Scope.RULES_WRITE})
        return Caller(user.get_username(), frozenset(scopes))
    return Caller("", frozenset())
