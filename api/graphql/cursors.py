"""Opaque cursors: what they hold is ours to change."""

from __future__ import annotations

import base64
import json
from typing import Any

from cdp.errors import CDPError

MAX_PAGE = 100


def encode(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def decode(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The parts of one of our cursors.

    Raises:
        CDPError: ``bad_cursor``.
    """
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if isinstance(parts, list) and [type(part) for part in parts] == list(kinds):
            return tuple(parts)
    except (ValueError, RecursionError):
        pass
    raise CDPError("bad_cursor", "this cursor was not made by this API", field="after")


def page_size(first: int) -> int:
    if not 1 <= first <= MAX_PAGE:
        raise CDPError("bad_page_size", f"first must be 1 to {MAX_PAGE}", field="first")
    return first
