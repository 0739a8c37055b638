"""The Bolt connection: one driver a process, transactions that retry, errors in our words."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import neo4j
from django.conf import settings
from neo4j import Driver, GraphDatabase
from neo4j.exceptions import DriverError, Neo4jError

from cdp.errors import CDPError

Row = dict[str, Any]
WRITE_SECONDS = 60.0


@lru_cache(maxsize=8)
def _driver(uri: str, user: str, password: str) -> Driver:
    return GraphDatabase.driver(
        uri, auth=(user, password), connection_timeout=5, max_transaction_retry_time=10,
        notifications_min_severity="OFF", liveness_check_timeout=5,
    )  # fmt: skip


def driver() -> Driver:
    return _driver(settings.NEO4J_URI, settings.NEO4J_USER, settings.NEO4J_PASSWORD)


def write(statements: list[tuple[str, Row]]) -> None:
    """Run statements in one managed transaction, retried by the driver on transient errors.

    Raises:
        CDPError: ``graph_unavailable`` (retryable) or ``graph_error``.
    """

    def work(tx: neo4j.ManagedTransaction) -> None:
        for cypher, parameters in statements:
            tx.run(cypher, parameters).consume()

    def transact() -> None:
        with driver().session(database=settings.NEO4J_DATABASE) as session:
            session.execute_write(work)

    within(WRITE_SECONDS, transact)


def ping(seconds: float = 3) -> None:
    """Raise ``graph_unavailable`` unless the store answers in time."""
    within(seconds, lambda: driver().verify_connectivity(database=settings.NEO4J_DATABASE))


def within(seconds: float, work: Callable[[], None]) -> None:
    """Run ``work`` in a thread and wait for it so long and no longer.

    The driver knows no read timeout: from a server that is stopped but still holds its
    connections, an answer would be waited for without end. The thread left behind ends with its
    connection; the driver is made anew.
    """
    outcome: queue.Queue[Exception | None] = queue.Queue()

    def attempt() -> None:
        try:
            work()
            outcome.put(None)
        except Exception as error:  # noqa: BLE001 - handed to the caller, whatever it is
            outcome.put(error)

    threading.Thread(target=attempt, daemon=True).start()
    try:
        error = outcome.get(timeout=seconds)
    except queue.Empty:
        _driver.cache_clear()
        raise CDPError(
            "graph_unavailable",
            f"no answer from {settings.NEO4J_URI} in {seconds:.0f} s",
            retryable=True,
        ) from None
    if isinstance(error, DriverError | Neo4jError | OSError):
        raise _translated(error) from error
    if error is not None:
        raise error


def run(cypher: str, **parameters: Any) -> None:
    """One auto-committed statement (schema commands need it)."""
    try:
        with driver().session(database=settings.NEO4J_DATABASE) as session:
            session.run(cypher, parameters).consume()
    except (DriverError, Neo4jError, OSError) as error:
        raise _translated(error) from error


def stream(cypher: str, *, seconds: float | None = None, **parameters: Any) -> Iterator[Row]:
    """Rows of a read, fetched a thousand at a time; the server gives it up after ``seconds``."""
    try:
        database = settings.NEO4J_DATABASE
        with driver().session(database=database, fetch_size=1000) as session:
            asked: Any = neo4j.Query(cypher, timeout=seconds) if seconds else cypher
            for record in session.run(asked, parameters):
                yield record.data()
    except (DriverError, Neo4jError, OSError) as error:
        raise _translated(error) from error


def _translated(error: Exception) -> CDPError:
    away = isinstance(error, DriverError | OSError) or (
        isinstance(error, Neo4jError) and error.is_retryable()
    )
    code = "graph_unavailable" if away else "graph_error"
    return CDPError(code, f"the graph store at {settings.NEO4J_URI}: {error}", retryable=away)
