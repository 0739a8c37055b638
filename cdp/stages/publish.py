"""Publish what learning computed: artifacts, vectors and slates; one artifact serves at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from django.db import connection, transaction

from cdp.models import Artifact, ArtifactStatus, Customer, Product

Vector = Iterable[float]
CHUNK = 1000


def serve(artifact: Artifact) -> None:
    """Let an artifact serve; the one before is retired and stays for a rollback."""
    with transaction.atomic():
        serving = Artifact.objects.select_for_update().filter(status=ArtifactStatus.SERVING)
        serving.exclude(pk=artifact.pk).update(status=ArtifactStatus.RETIRED)
        artifact.status = ArtifactStatus.SERVING
        artifact.save(update_fields=["status", "reason"])


def write_product_vectors(artifact: int, rows: Mapping[str, tuple[Vector, float]]) -> int:
    """Vectors and fold-in weights by sku; products that are not in the catalogue are left out."""
    products = dict(Product.objects.filter(sku__in=list(rows)).values_list("sku", "id"))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM cdp_productvector WHERE artifact_id = %s", [artifact])
        sql = "COPY cdp_productvector (artifact_id, product_id, vector, fold_weight) FROM STDIN"
        with cursor.copy(sql) as copy:
            for sku, (vector, weight) in rows.items():
                if sku in products:
                    copy.write_row((artifact, products[sku], _text(vector), float(weight)))
    return len(products)


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
                        copy.write_row((artifact, ids[public], _text(vector)))
            written += len(known)
    return written


def _text(vector: Vector) -> str:
    return "[" + ",".join(f"{value:.7g}" for value in vector) + "]"
