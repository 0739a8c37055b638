"""The ASGI application: Django behind a guard that bounds every request body as it arrives."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cdp.settings")

from django.core.asgi import get_asgi_application

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_REQUEST_BYTES = 8 * 1024 * 1024


class BodyTooLarge(Exception):
    """The client sent more than any path of ours takes."""


def bounded(app: App) -> App:
    """Django spools a body of any size to disk; stop reading past the limit and answer 413."""

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        total = 0

        async def counting() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > MAX_REQUEST_BYTES:
                raise BodyTooLarge
            return message

        try:
            await app(scope, counting, send)
        except BodyTooLarge:
            text = f"a request may have at most {MAX_REQUEST_BYTES} bytes"
            body = json.dumps({"code": "body_too_large", "message": text}).encode()
            headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return guarded


application = bounded(cast(App, get_asgi_application()))
