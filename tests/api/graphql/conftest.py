"""How tests ask GraphQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from api.exposing import BUFFER
from cdp.models import Scope
from cdp.stages.register import register_api_key

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def no_writer_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Exposures wait here until a test flushes them; the thread is tested with the live server."""
    monkeypatch.setattr(BUFFER, "_ensure_thread", lambda: None)
    yield
    while not BUFFER.rows.empty():
        BUFFER.rows.get_nowait()


@pytest.fixture
def ask(client: Client) -> Ask:
    keys: dict[tuple[str, ...], str] = {}

    def asked(
        query: str, scopes: list[str] | None = None, channel: str = "", **variables: Any
    ) -> dict[str, Any]:
        wanted = tuple(scopes if scopes is not None else Scope.values)
        if (*wanted, channel) not in keys:
            keys[*wanted, channel] = register_api_key(f"k{len(keys)}", wanted, channel)[1]
        headers = {"Authorization": f"Bearer {keys[*wanted, channel]}"}
        body = json.dumps({"query": query, "variables": variables})
        response = client.post("/graphql", body, content_type="application/json", headers=headers)
        return response.json()  # type: ignore[no-any-return]

    return asked
