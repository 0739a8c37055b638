"""Find the source that a request speaks for, by its write key."""

from __future__ import annotations

import base64
import binascii

from django.http import HttpRequest

from cdp.errors import CDPError
from cdp.models import Source
from cdp.selectors.sources import source_by_key


def authenticate(request: HttpRequest, body: object) -> Source:
    """The write key from Basic (user name), else the body's ``writeKey``, else ``?writeKey=``.

    Raises:
        CDPError: ``missing_write_key``, ``invalid_write_key`` or ``source_disabled``.
    """
    key = _basic(request.headers.get("Authorization", "")) or _in_body(body)
    key = key or request.GET.get("writeKey", "")
    if not key:
        raise CDPError(
            "missing_write_key", "send the write key as the Basic user name", field="writeKey"
        )
    source = source_by_key(key)
    if source is None:
        raise CDPError("invalid_write_key", "no source has this write key", field="writeKey")
    if not source.enabled:
        raise CDPError("source_disabled", f"the source {source.name} is disabled")
    return source


def _basic(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        raise CDPError("invalid_write_key", "the Authorization header is not Basic") from None


def _in_body(body: object) -> str:
    value = body.get("writeKey") if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""
