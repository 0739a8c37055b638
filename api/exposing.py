"""Record what was served, off the request path: a bounded buffer that one thread writes out.

A full buffer or a store that is away loses exposures, which lowers coverage (and is counted), but
never delays or changes an answer.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from prometheus_client import Counter

from cdp import pipeline

log = logging.getLogger(__name__)
RECORDED = Counter("unison_exposures_total", "Exposures, by what became of them", ["outcome"])
Row = dict[str, Any]


class ExposureBuffer:
    """Rows wait here for at most ``seconds``; ``capacity`` bounds the memory."""

    def __init__(self, capacity: int = 50_000, batch: int = 1000, seconds: float = 0.25) -> None:
        self.rows: queue.Queue[Row] = queue.Queue(capacity)
        self.batch = batch
        self.seconds = seconds
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(
        self, kind: str, channel: str, identifier: int | None, customer: UUID | None, detail: Row
    ) -> None:
        at: datetime = timezone.now()
        row = {
            "kind": kind, "channel": channel, "identifier_id": identifier,
            "customer_as_served": customer, "detail": detail, "occurred_at": at,
        }  # fmt: skip
        try:
            self.rows.put_nowait(row)
        except queue.Full:
            RECORDED.labels("dropped").inc()
            return
        self._ensure_thread()

    def flush(self) -> None:
        """Write out everything that waits now."""
        while rows := self._take():
            self._write(rows)

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(self.seconds)
            self.flush()

    def _take(self) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < self.batch:
            try:
                rows.append(self.rows.get_nowait())
            except queue.Empty:
                break
        return rows

    def _write(self, rows: list[Row]) -> None:
        try:
            pipeline.record_exposures(rows)
            RECORDED.labels("recorded").inc(len(rows))
        except DatabaseError:
            log.exception("%d exposures lost", len(rows))
            RECORDED.labels("lost").inc(len(rows))
        finally:
            close_old_connections()


BUFFER = ExposureBuffer()
atexit.register(BUFFER.flush)
