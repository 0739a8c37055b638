"""What became of a message?"""

from __future__ import annotations

from cdp.models import QuarantinedEvent, Receipt


def receipt(
    message_id: str, source: str | None = None
) -> tuple[Receipt, QuarantinedEvent | None] | None:
    """The receipt of a message (the latest, when several sources used its id)."""
    rows = Receipt.objects.filter(message_id=message_id).select_related("source")
    if source:
        rows = rows.filter(source__name=source)
    found = rows.order_by("-received_at", "-id").first()
    if found is None:
        return None
    refused = QuarantinedEvent.objects.filter(source=found.source, message_id=message_id)
    return found, refused.order_by("-id").first() if found.status == "quarantined" else None
