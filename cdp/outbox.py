"""Add follow-up work to the caller's transaction; claim it; put a failed claim back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from cdp.models import OutboxMessage, Topic

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(seconds=30)


def add(topic: Topic, payload: dict[str, Any]) -> None:
    """Write one message in the open transaction.

    Raises:
        RuntimeError: outside a transaction, where fact and follow-up would not commit together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("outbox.add() needs the transaction of the fact it follows")
    OutboxMessage.objects.create(topic=topic, payload=payload)


def claim(topic: Topic, limit: int) -> list[OutboxMessage]:
    """Lock the oldest messages that are due; other workers skip them until this transaction ends."""
    due = OutboxMessage.objects.filter(topic=topic, available_at__lte=Now()).order_by("id")
    return list(due.select_for_update(skip_locked=True)[:limit])


def done(messages: Sequence[OutboxMessage]) -> None:
    OutboxMessage.objects.filter(id__in=[message.id for message in messages]).delete()


def postpone(message_ids: Sequence[int], error: str, attempts: int) -> None:
    """After a rollback: wait longer each time before the next try, and keep the error to be seen."""
    wait = min(FIRST_WAIT * 2 ** min(attempts, 10), LONGEST_WAIT)
    with transaction.atomic():
        OutboxMessage.objects.filter(id__in=message_ids).update(
            attempts=F("attempts") + 1, available_at=Now() + wait, last_error=error[:2000]
        )


def waiting(topic: Topic | None = None) -> int:
    """How many messages are not done yet."""
    rows = OutboxMessage.objects.all()
    return (rows.filter(topic=topic) if topic else rows).count()
