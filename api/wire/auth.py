"""Find the source that a request speaks for, by its write key."""

from __future__ import annotations

import base64

from django.http import HttpRequest

from cdp.errors import CDPError
from cdp.models import Source
from cdp.selectors.sources import source_by_key


def early(request: HttpRequest) -> Source | None:
    """The source by its key in the header or the address: before a byte of the body is read.

    None when the key can only be in the body.

    Raises:
        CDPError: ``invalid_write_key`` or ``source_disabled``.
    """
    key = _basic(request.headers.get("Authorization", ""))
    return _source(key) if key else None


def authenticate(request: HttpRequest, body: object) -> Source:
    """The write key from the body's ``writeKey``, else ``?writeKey=`` (see ``early``).

    Raises:
        CDPError: ``missing_write_key``, ``invalid_write_key`` or ``source_disabled``.
    """
    key = _in_body(body) or request.GET.get("writeKey", "")
    if not key:
        raise CDPError(
            "missing_write_key", "send the write key as the Basic user name", field="writeKey"
        )
    return _source(key)


def _source(key: str) -> Source:
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
    except ValueError:  # not base64, or not text
        raise CDPError("invalid_write_key", "the Authorization header is not Basic") from None


def _in_body(body: object) -> str:
    value = body.get("writeKey") if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""
