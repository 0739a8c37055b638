"""What became of a message."""

from __future__ import annotations

from datetime import datetime

import strawberry

from cdp.models import QuarantinedEvent, ReceiptStatus
from cdp.models import Receipt as ReceiptRow

strawberry.enum(ReceiptStatus, name="ReceiptStatus")


@strawberry.type(
    description="The outcome of a message; sent again, it is counted and not repeated."
)
class Receipt:
    message_id: str
    source: str
    status: ReceiptStatus
    reason: str | None
    field: str | None
    detail: str | None
    received_at: datetime
    duplicates: int
    last_duplicate_at: datetime | None

    @classmethod
    def of(cls, row: ReceiptRow, refused: QuarantinedEvent | None) -> Receipt:
        return cls(
            message_id=row.message_id, source=row.source.name, status=ReceiptStatus(row.status),
            reason=row.reason or None, field=refused.field if refused else None,
            detail=refused.detail if refused else None, received_at=row.received_at,
            duplicates=row.duplicates, last_duplicate_at=row.last_duplicate_at,
        )  # fmt: skip
