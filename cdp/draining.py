"""Work through outbox messages: in a transaction with their work, or alone beside PostgreSQL."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import DatabaseError, OperationalError, connection, transaction

from cdp import outbox
from cdp.errors import CDPError
from cdp.models import OutboxMessage, Topic

log = logging.getLogger(__name__)
TakeIn = Callable[[list[OutboxMessage]], None]
TRIES = 8
T = TypeVar("T")
# What a message itself may be to blame for. Anything else is a bug and is not swallowed.
ITS_FAULT = (DatabaseError, LookupError, ValueError, TypeError)


class _Failed(Exception):
    """The claimed messages and why their work was rolled back."""

    def __init__(self, messages: list[OutboxMessage], error: Exception) -> None:
        super().__init__(str(error))
        self.messages = messages
        self.error = error


def in_transaction(topic: Topic, limit: int, take_in: TakeIn) -> int:
    """Claim messages, do their work and delete them, all in one transaction; returns how many.

    What fails together is tried one message at a time, and a message that fails by itself one
    item at a time, so that a poisonous one stops nobody; it is tried again later, at last parked.
    """
    try:
        return _transact(topic, limit, take_in)
    except _Failed as failed:
        if isinstance(failed.error, CDPError) and failed.error.retryable:  # something is away
            attempts = min((message.attempts for message in failed.messages), default=0)
            outbox.postpone(
                [message.id for message in failed.messages], str(failed.error), attempts
            )
            log.warning("%s postponed: %s", topic, failed.error)
            return 0
        log.warning("%s failed together: %s", topic, failed.error)
        together = failed.messages
    done = 0
    for message in together:
        try:
            done += _transact(topic, 1, take_in, only=message.id)
        except _Failed as failed:
            if not outbox.split(message.id, topic.value):
                log.warning("outbox message %s failed: %s", message.id, failed.error)
                outbox.postpone([message.id], str(failed.error), message.attempts, park=True)
    return done


def alone(topic: Topic, limit: int, lock: int, take_in: TakeIn) -> int:
    """Do the work of messages outside any transaction, one worker at a time, then delete them.

    For work in another store that is harmless to repeat: no transaction stays open while that
    store takes its time (or hangs), and a worker killed in between leaves the messages.
    """
    with only_one(lock) as holding:
        messages = list(outbox.peekable(topic)[:limit]) if holding else []
        if not messages:
            return 0
        try:
            take_in(messages)
        except CDPError as error:
            attempts = min(message.attempts for message in messages)
            outbox.postpone([message.id for message in messages], str(error), attempts)
            log.warning("%s postponed: %s", topic, error)
            return 0
        outbox.done(messages)
        return len(messages)


@contextmanager
def only_one(lock: int) -> Iterator[bool]:
    """True for one holder at a time; the lock belongs to the connection and dies with it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        row = cursor.fetchone()
    holding = bool(row and row[0])
    try:
        yield holding
    finally:
        if holding:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])


def _transact(topic: Topic, limit: int, take_in: TakeIn, only: int | None = None) -> int:
    claimed: list[OutboxMessage] = []

    def work() -> int:
        claimed[:] = outbox.claim(topic, limit, only)
        if claimed:
            take_in(claimed)
        return len(claimed)

    try:
        return retrying(work)
    except OperationalError:
        raise  # the store's fault, not the messages'
    except (CDPError, *ITS_FAULT) as error:
        raise _Failed(claimed, error) from error


def retrying(work: Callable[[], T]) -> T:
    """Do the work in a transaction, again where it met another in a deadlock (outermost only: inside
    another transaction the locks of that one would be kept)."""
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                return work()
        except OperationalError as error:
            if connection.in_atomic_block or not _deadlocked(error) or attempt == TRIES - 1:
                raise
            log.info("deadlock, trying again")
            time.sleep(random.uniform(0.01, 0.1) * (attempt + 1))
    raise AssertionError("unreachable")


def _deadlocked(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) in ("40P01", "40001")
