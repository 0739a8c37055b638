"""Write exposures: what was served, to whom, on which channel."""

from __future__ import annotations

from typing import Any

from cdp.models import Exposure, Identifier


def record(rows: list[dict[str, Any]]) -> None:
    """Store exposures as the request described them; an identifier gone meanwhile is left out."""
    wanted = {row["identifier_id"] for row in rows if row["identifier_id"] is not None}
    known = set(Identifier.objects.filter(id__in=wanted).values_list("id", flat=True))
    Exposure.objects.bulk_create(
        Exposure(**row | ({} if row["identifier_id"] in known else {"identifier_id": None}))
        for row in rows
    )
