"""Publish what learning computed: artifacts, vectors and slates; one artifact serves at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from pgvector import Vector as PgVector

from cdp import outbox
from cdp.domain.slates import Ranker
from cdp.errors import CDPError
from cdp.models import (
    Artifact,
    ArtifactStatus,
    Customer,
    CustomerVector,
    Product,
    ProductVector,
    Profile,
    Slate,
)
from cdp.selectors.slates import served_before

Vector = Iterable[float]
CHUNK = 1000
KEPT = 2
INDEXED_FROM = 10_000
SLACK = timedelta(minutes=5)  # events that were accepted but not yet in the graph


def serve(artifact: Artifact) -> None:
    """Let an artifact serve; the one before is retired and stays for a rollback."""
    with transaction.atomic():
        serving = Artifact.objects.select_for_update().filter(status=ArtifactStatus.SERVING)
        serving.exclude(pk=artifact.pk).update(status=ArtifactStatus.RETIRED)
        artifact.status = ArtifactStatus.SERVING
        artifact.served_from = timezone.now()
        artifact.save(update_fields=["status", "reason", "served_from"])
        _catch_up(artifact)
    _prune()


def roll_back(actor: str, reason: str) -> Artifact:
    """Let the artifact serve again that served before the present one, which is refused.

    Raises:
        CDPError: ``nothing_to_roll_back`` when no earlier artifact is kept.
    """
    with transaction.atomic():
        rows = Artifact.objects.select_for_update().filter(status=ArtifactStatus.SERVING)
        serving = list(rows)
        before = served_before()
        if before is None:
            raise CDPError("nothing_to_roll_back", "no artifact of before is kept")
        for row in serving:
            row.status = ArtifactStatus.REFUSED
            row.reason = f"rolled back by {actor}: {reason}"
            row.save(update_fields=["status", "reason"])
        before.status = ArtifactStatus.SERVING
        before.served_from = timezone.now()
        before.save(update_fields=["status", "served_from"])
        kept = before.slates.filter(customer__isnull=False)
        _catch_up(before, kept.values_list("customer_id", flat=True))
    return before


def _catch_up(artifact: Artifact, also: Iterable[int | None] = ()) -> None:
    """Whose profile changed since the snapshot (they acted, or were merged, split, or refused) gets a
    fresh slate, and so do others whose stored one may be of before."""
    since = artifact.snapshot.created_at - SLACK
    changed = Profile.objects.filter(changed_at__gte=since).values_list("customer_id", flat=True)
    outbox.add_slates((id_ for id_ in (*changed, *also) if id_ is not None), later=True)


def _prune() -> None:
    """Vectors and slates of artifacts that no rollback would reach; their rows and files stay."""
    able = Artifact.objects.filter(status__in=(ArtifactStatus.SERVING, ArtifactStatus.RETIRED))
    kept = able.filter(served_from__isnull=False).order_by("-served_from")[:KEPT]
    ids = list(kept.values_list("pk", flat=True))
    gone = ProductVector.objects.exclude(artifact_id__in=ids)
    for artifact in set(gone.values_list("artifact_id", flat=True)):
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX IF EXISTS {_index_name(int(artifact))}")
    for table in (ProductVector, CustomerVector, Slate):
        table.objects.exclude(artifact_id__in=ids)._raw_delete("default")


def write_product_vectors(artifact: int, ranker: Ranker) -> int:
    """The products' vectors where the model has some; products that are not in the catalogue are
    left out. Many are indexed (HNSW), few are quicker to go through."""
    vectors = ranker.space
    if vectors is None:
        return 0
    ProductVector.objects.filter(artifact_id=artifact)._raw_delete("default")
    written = add_product_vectors(artifact, ranker, ranker.skus)
    if written >= INDEXED_FROM:
        index_vectors(artifact, vectors.vectors.shape[1])
    return written


def add_product_vectors(artifact: int, ranker: Ranker, skus: Sequence[str]) -> int:
    """Some products' vectors beside those that are there."""
    vectors, wanted = ranker.space, set(skus)
    if vectors is None:
        return 0
    products = dict(Product.objects.filter(sku__in=list(skus)).values_list("sku", "id"))
    with transaction.atomic(), connection.cursor() as cursor:
        again = ProductVector.objects.filter(artifact_id=artifact)
        again.filter(product_id__in=list(products.values())).delete()
        sql = "COPY cdp_productvector (artifact_id, product_id, vector, fold_weight) FROM STDIN"
        with cursor.copy(sql) as copy:
            for n, sku in enumerate(ranker.skus):
                if sku in wanted and sku in products:
                    row = vectors.vectors[n] * vectors.asked[n]
                    weight = float(vectors.given[n] / max(float(vectors.asked[n]), 1e-12))
                    copy.write_row((artifact, products[sku], PgVector(row).to_text(), weight))
    return len(products)


def index_vectors(artifact: int, dimensions: int) -> None:
    """An approximate index over one artifact's product vectors (Malkov & Yashunin 2018)."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS {_index_name(artifact)} ON cdp_productvector "
            f"USING hnsw ((vector::vector({int(dimensions)})) vector_ip_ops) "
            f"WITH (m = 24, ef_construction = 128) WHERE artifact_id = {int(artifact)}"
        )


def _index_name(artifact: int) -> str:
    return f"product_vector_hnsw_{artifact}"


def write_slates(
    artifact: int, rows: Iterable[tuple[str | None, Vector | None, list[dict[str, Any]]]]
) -> int:
    """(customer's public id or None for strangers, vector, items) of every customer, at once."""
    written = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for table in ("cdp_customervector", "cdp_slate"):
            cursor.execute(f"DELETE FROM {table} WHERE artifact_id = %s", [artifact])
        remaining = iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            names = [public for public, _, _ in chunk if public]
            ids = {
                str(public): id_
                for public, id_ in Customer.objects.filter(
                    public_id__in=names, identifiers__isnull=False
                ).values_list("public_id", "id")
            }
            known = [row for row in chunk if row[0] is None or row[0] in ids]
            sql = "COPY cdp_slate (artifact_id, customer_id, items) FROM STDIN"
            with cursor.copy(sql) as copy:
                for public, _, items in known:
                    copy.write_row((artifact, ids[public] if public else None, json.dumps(items)))
            sql = "COPY cdp_customervector (artifact_id, customer_id, vector) FROM STDIN"
            with cursor.copy(sql) as copy:
                for public, vector, _ in known:
                    if public and vector is not None:
                        copy.write_row((artifact, ids[public], PgVector(vector).to_text()))
            written += len(known)
    return written
