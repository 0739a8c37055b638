"""A numbered, dated, checksummed export of the interaction graph, streamed over Bolt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings
from django.db.models import Min
from django.utils import timezone

from cdp.errors import CDPError
from cdp.graph import cypher, session
from cdp.graph.session import Row
from cdp.models import OutboxMessage, Snapshot, Topic
from cdp.selectors.queries import clicked_queries

SCHEMA = pa.schema(
    [
        ("customer", pa.string()), ("sku", pa.string()), ("verb", pa.string()),
        ("event", pa.int64()), ("at", pa.int64()), ("channel", pa.string()),
        ("quantity", pa.float64()), ("query", pa.string()),
    ]
)  # fmt: skip
BATCH = 10_000
KEPT = 3  # files; what was learned from older ones stays measured
Advance = Callable[[int], None]


def take(advance: Advance = lambda rows: None) -> Snapshot:
    """Export the interactions of consented customers, and what they searched for before them (from
    the events: the graph holds no words); memory stays bounded by one batch.

    Raises:
        CDPError: ``graph_unavailable``; ``empty_graph`` when there is nothing to learn from.
    """
    as_of = _as_of()
    folder = Path(settings.ARTIFACTS) / "snapshots"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"partial-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}.parquet"
    customers: set[str] = set()
    products: set[str] = set()
    total = 0
    with pq.ParquetWriter(partial, SCHEMA) as writer:
        for batch in _batches():
            writer.write_table(pa.Table.from_pylist(batch, schema=SCHEMA))
            touches = [row for row in batch if row.get("query") is None]
            customers.update(row["customer"] for row in touches)
            products.update(row["sku"] for row in touches)
            total += len(touches)
            advance(len(batch))
    if not total:
        partial.unlink()
        raise CDPError("empty_graph", "the graph has no interaction of a consented customer yet")
    with partial.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    snapshot = Snapshot.objects.create(
        path="", checksum=checksum, customers=len(customers), products=len(products),
        interactions=total, created_at=as_of,
    )  # fmt: skip
    final = folder / f"{snapshot.pk:06}.parquet"
    partial.rename(final)
    snapshot.path = str(final)
    snapshot.save(update_fields=["path"])
    for old in sorted(folder.glob("[0-9]*.parquet"))[:-KEPT]:
        old.unlink()  # who refuses later shall not stay in files for ever
    return snapshot


def _as_of() -> datetime:
    """What was accepted before this moment is in the graph: now, or since when the projector is
    behind."""
    oldest = OutboxMessage.objects.filter(topic=Topic.GRAPH).aggregate(Min("created_at"))
    behind: datetime | None = oldest["created_at__min"]
    return min(timezone.now(), behind) if behind else timezone.now()


def _batches() -> Iterator[list[Row]]:
    batch: list[Row] = []
    for verb in cypher.VERBS:
        for row in session.stream(cypher.read_customer_interactions(verb)):
            batch.append(row | {"verb": verb})
            if len(batch) == BATCH:
                yield batch
                batch = []
    for row in clicked_queries():
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def verify(snapshot: Snapshot) -> Path:
    """The snapshot's file, after checking that it is the one that was written.

    Raises:
        CDPError: ``snapshot_missing`` or ``snapshot_changed``.
    """
    path = Path(snapshot.path)
    if not path.is_file():
        raise CDPError("snapshot_missing", f"{path} is gone")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != snapshot.checksum:
            raise CDPError("snapshot_changed", f"{path} is not the file that was written")
    return path
