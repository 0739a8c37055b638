"""Add follow-up work to the caller's transaction; claim it; put a failed claim back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from cdp.models import OutboxMessage, Topic
from cdp.statements import execute, together

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(seconds=30)
MOST_ATTEMPTS = 10
SLATE_CUSTOMERS = 50


def add(topic: Topic, payload: dict[str, Any]) -> None:
    """Write one message in the open transaction.

    Raises:
        RuntimeError: outside a transaction, where fact and follow-up would not commit together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("outbox.add() needs the transaction of the fact it follows")
    execute(
        "INSERT INTO cdp_outboxmessage (topic, payload) VALUES (%s, %s::jsonb)",
        [topic.value, json.dumps(payload)],
    )


def add_slates(customers: Iterable[int], *, later: bool = False) -> None:
    """Ask for fresh slates in the open transaction, a few customers a message, where an artifact
    serves (else a learning run will compute everybody's). ``later``: a whole shop's, that are
    done a few at a time after those of who acted."""
    if not connection.in_atomic_block:
        raise RuntimeError("outbox.add_slates() needs the transaction of the fact it follows")
    ids = sorted(set(customers))
    topic = Topic.SLATES_LATER if later else Topic.SLATES
    for first in range(0, len(ids), SLATE_CUSTOMERS):
        execute(
            "INSERT INTO cdp_outboxmessage (topic, payload) SELECT %s, %s::jsonb "
            "WHERE EXISTS (SELECT FROM cdp_artifact WHERE status = 'serving')",
            [topic.value, json.dumps({"slates": ids[first : first + SLATE_CUSTOMERS]})],
        )


def take_back_later() -> set[int]:
    """Whose slates wait in a whole shop's messages; the messages are taken out, in the open
    transaction of who asks for all of them anew."""
    rows = execute(
        "DELETE FROM cdp_outboxmessage WHERE topic = %s AND parked_at IS NULL RETURNING payload::text",
        [Topic.SLATES_LATER.value],
    )
    return {id_ for (payload,) in rows for id_ in json.loads(payload)["slates"]}


def claim(topic: Topic, limit: int, only: int | None = None) -> list[OutboxMessage]:
    """Take the oldest messages that are due (or ``only`` one) out of the outbox, in the transaction
    that does their work: rolled back, they are there again. Other workers skip them meanwhile.
    """
    if only is None:
        # Planned each time: a plan made while the queue was empty would sort a long one.
        [rows] = together((_TAKE, [topic.value, limit]))
    else:
        rows = execute(_TAKE_ONE, [str(only)])
    return [
        OutboxMessage(id=id_, topic=topic, payload=json.loads(payload), attempts=attempts)
        for id_, payload, attempts in sorted(rows)
    ]


# Plain SQL: this is asked twice a second by every worker, and before every single event.
_TAKE = """
    DELETE FROM cdp_outboxmessage WHERE id = ANY (ARRAY(
        SELECT id FROM cdp_outboxmessage
        WHERE topic = %s AND available_at <= statement_timestamp() AND parked_at IS NULL
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
    RETURNING id, payload::text, attempts
"""
_TAKE_ONE = """
    DELETE FROM cdp_outboxmessage WHERE id = ANY (ARRAY(
        SELECT id FROM cdp_outboxmessage WHERE id = %s::bigint FOR UPDATE SKIP LOCKED))
    RETURNING id, payload::text, attempts
"""


def peekable(topic: Topic) -> QuerySet[OutboxMessage]:
    """The messages that are due, oldest first; not locked."""
    due = OutboxMessage.objects.filter(topic=topic, available_at__lte=Now(), parked_at=None)
    return due.order_by("id")


def done(messages: Sequence[OutboxMessage]) -> None:
    OutboxMessage.objects.filter(id__in=[message.id for message in messages]).delete()


def postpone(message_ids: Sequence[int], error: str, attempts: int, *, park: bool = False) -> None:
    """After a rollback: wait longer each time before the next try, and keep the error to be seen.

    ``park`` gives a message up after ``MOST_ATTEMPTS``: it stays, listed in the admin, until
    somebody asks for it to be tried again. Stores that are away never park anything.
    """
    wait = min(FIRST_WAIT * 2 ** min(attempts, 10), LONGEST_WAIT)
    with transaction.atomic():
        rows = OutboxMessage.objects.filter(id__in=message_ids)
        rows.update(attempts=F("attempts") + 1, available_at=Now() + wait, last_error=error[:2000])
        if park:
            rows.filter(attempts__gte=MOST_ATTEMPTS).update(parked_at=Now())


def try_again(message_ids: Sequence[int]) -> int:
    """Make parked or waiting messages due now."""
    rows = OutboxMessage.objects.filter(id__in=message_ids)
    return rows.update(parked_at=None, attempts=0, available_at=Now())


def split(message_id: int, key: str) -> bool:
    """Replace a message by one for each item of its list ``key``; False when it has but one."""
    with transaction.atomic():
        row = OutboxMessage.objects.select_for_update().filter(id=message_id).first()
        if row is None or len(row.payload[key]) < 2:
            return False
        OutboxMessage.objects.bulk_create(
            OutboxMessage(topic=row.topic, payload={**row.payload, key: [item]})
            for item in row.payload[key]
        )
        row.delete()
        return True


def waiting(topic: Topic | None = None) -> int:
    """How many messages are not done yet; parked ones wait for a person and are not counted."""
    rows = OutboxMessage.objects.filter(parked_at=None)
    return (rows.filter(topic=topic) if topic else rows).count()


def parked() -> int:
    return OutboxMessage.objects.filter(parked_at__isnull=False).count()
