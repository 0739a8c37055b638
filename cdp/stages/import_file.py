"""Import a file of events through the same ingestion as HTTP, resumably."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from cdp.domain.events import Envelope
from cdp.models import ImportRun, QuarantinedEvent, ReceiptStatus, Source
from cdp.selectors.files import Broken

CHUNK = 1000
Ingest = Callable[[Source, list[object], Envelope], list[ReceiptStatus]]
"""The ingest stage, handed in by the pipeline: stages do not know each other."""


def start(source: Source, fingerprint: str) -> ImportRun:
    """The run of this file into this source: a new one, or the one that was interrupted."""
    run, _ = ImportRun.objects.get_or_create(source=source, fingerprint=fingerprint)
    return run


def import_rows(
    run: ImportRun,
    messages: Iterator[object],
    ingest: Ingest,
    advance: Callable[[int], None],
) -> ImportRun:
    """Ingest what the run has not done yet, a chunk and its count in one transaction.

    A message without an id gets one made of the file and the row's place, so that a row can never
    come in twice.
    """
    remaining = islice(messages, run.rows_done, None)
    source = run.source
    envelope = Envelope(
        channel=source.channel, received_at=timezone.now(), max_bytes=1 << 20,
        region=settings.DEFAULT_PHONE_REGION,
    )  # fmt: skip
    while chunk := list(islice(remaining, CHUNK)):
        broken = [row for row in chunk if isinstance(row, Broken)]
        named = [
            _named(row, run, place)
            for place, row in enumerate(chunk, run.rows_done)
            if not isinstance(row, Broken)
        ]
        with transaction.atomic():
            _quarantine(source, broken)
            outcomes = ingest(source, named, envelope)
            run.rows_done += len(chunk)
            run.accepted += outcomes.count(ReceiptStatus.ACCEPTED)
            run.duplicates += outcomes.count(ReceiptStatus.DUPLICATE)
            run.quarantined += outcomes.count(ReceiptStatus.QUARANTINED) + len(broken)
            run.save()
        advance(len(chunk))
    run.finished_at = timezone.now()
    run.save()
    return run


def _quarantine(source: Source, rows: list[Broken]) -> None:
    """Keep rows that could not even be read as one."""
    QuarantinedEvent.objects.bulk_create(
        QuarantinedEvent(
            source=source, reason="bad_row", field=f"line {row.number}", detail=row.reason,
            content_hash=hashlib.sha256(row.raw.encode()).hexdigest(), raw=row.raw,
        )
        for row in rows
    )  # fmt: skip


def _named(message: object, run: ImportRun, place: int) -> object:
    if isinstance(message, dict) and not message.get("messageId"):
        name = f"{run.fingerprint}:{place}"
        return message | {"messageId": f"file-{uuid.uuid5(uuid.NAMESPACE_OID, name)}"}
    return message
