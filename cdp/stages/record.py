"""Write exposures: what was served, to whom, on which channel."""

from __future__ import annotations

from typing import Any

from cdp.models import Exposure


def record(rows: list[dict[str, Any]]) -> None:
    """Store exposures as the request described them (``cdp.exposing`` makes the rows)."""
    Exposure.objects.bulk_create(Exposure(**row) for row in rows)
