"""``/graphql``: JSON for programs, GraphiQL (with no internet) for people."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from strawberry.django.views import AsyncGraphQLView
from strawberry.http import GraphQLHTTPResponse
from strawberry.types import ExecutionResult

from api.graphql.context import Context, identify
from api.graphql.errors import mapped
from api.wire.body import parse_json
from cdp.domain.soundness import unsound
from cdp.errors import CDPError


class GraphQLView(AsyncGraphQLView[Context, None]):
    """Strawberry's view with our callers, our GraphiQL page and our errors."""

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        try:
            return await super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]
        except CDPError as error:
            extensions = {"code": error.code, "retryable": error.retryable}
            body = {"data": None, "errors": [{"message": error.message, "extensions": extensions}]}
            return JsonResponse(body, status=401 if error.code == "unauthenticated" else 400)

    async def get_context(self, request: HttpRequest, response: HttpResponse) -> Context:
        return Context(request, response, await identify(request))

    def parse_json(self, data: str | bytes) -> object:
        """A request is one JSON object, bounded in depth before anything walks through it."""
        value = parse_json(data.encode() if isinstance(data, str) else data)
        if not isinstance(value, dict):
            raise CDPError("bad_query", "the body must be a JSON object with a query")
        if fault := unsound(value):
            raise CDPError("bad_query", fault.detail, field=fault.field)
        return value

    async def process_result(
        self, request: HttpRequest, result: ExecutionResult
    ) -> GraphQLHTTPResponse:
        if result.errors:
            result.errors = [mapped(error) for error in result.errors]
        return await super().process_result(request, result)

    async def render_graphql_ide(self, request: HttpRequest) -> HttpResponse:
        return render(request, "graphiql.html")
