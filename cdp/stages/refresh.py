"""Compute customers' vectors and slates anew from what they did, by what the serving artifact learned.

No training: the inductive step. What a learning run writes for everybody and what is written here
for who acted since are the same function of the same history.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from pgvector import Vector as PgVector

from cdp.domain.ranking import Touch
from cdp.domain.slates import Ranker, slates
from cdp.identity import arrays
from cdp.selectors.ranker import bought_again, ranker_of, variety
from cdp.statements import together

_ALONE = 7_301_006
# The artifact is held, so that none begins to serve between its reading and the writing; customers
# are held apart from their rows, so that events go on meanwhile and the newest history wins.
_SERVING = "SELECT id, path FROM cdp_artifact WHERE status = 'serving' FOR SHARE"
_HOLD = """
    SELECT pg_advisory_xact_lock(%s, (id %% 2147483647)::int)
    FROM (SELECT unnest(%s::bigint[]) AS id ORDER BY id) AS customer
"""
_HISTORIES = """
    SELECT d.customer_id, i.sku, i.verb, floor(extract(epoch FROM e.occurred_at) * 1000)::bigint
    FROM cdp_identifier d
    JOIN cdp_event e ON e.subject_id = d.id
    JOIN cdp_interaction i ON i.event_id = e.id
    LEFT JOIN cdp_profile p ON p.customer_id = d.customer_id
    WHERE d.customer_id = ANY (%s::bigint[]) AND NOT d.shared
      AND (p.traits->'consent.personalization'->'value') IS DISTINCT FROM 'false'::jsonb
"""


def refresh(customers: Iterable[int]) -> int:
    """Write the customers' vectors and slates; who has nothing to go by (no product known to the
    artifact, or no consent) is a stranger again. Returns how many have a slate of their own.

    Raises:
        CDPError: ``artifact_missing``, ``artifact_unreadable``.
    """
    ids = sorted(set(customers))
    with transaction.atomic():
        serving = _serving()
        if serving is None or not ids:
            return 0
        artifact, path = serving
        together((_HOLD, [_ALONE, arrays.ints(ids)]))
        ranker = ranker_of(path)  # after the wait: it may have grown meanwhile
        histories = _histories(ids, ranker)
        return _write(artifact, ids, {id_: own for id_, own in histories.items() if own}, ranker)


def _serving() -> tuple[int, str] | None:
    for _ in range(2):  # the one that was waited for may have retired meanwhile
        [rows] = together((_SERVING, []))
        if rows:
            return int(rows[0][0]), str(rows[0][1])
    return None


def _histories(ids: Sequence[int], ranker: Ranker) -> dict[int, list[Touch]]:
    [rows] = together((_HISTORIES, [arrays.ints(ids)]))
    found: dict[int, list[Touch]] = {id_: [] for id_ in ids}
    for customer, sku, verb, at in rows:
        product = ranker.index.get(sku)
        if product is not None:
            found[customer].append(Touch(product, verb, int(at)))
    return found


def _write(
    artifact: int,
    ids: Sequence[int],
    histories: Mapping[int, Sequence[Touch]],
    ranker: Ranker,
) -> int:
    again = bought_again(ranker.index)
    ranked = slates(ranker, list(histories.values()), again=again, variety=variety())
    made = dict(zip(histories, ranked, strict=True))
    known = [customer for customer, items in made.items() if items]
    vectors = ranker.space
    found: Any = vectors.customers([histories[id_] for id_ in known]) if vectors and known else []
    rows = [(artifact, customer, json.dumps(made[customer])) for customer in known]
    places = [
        (artifact, customer, PgVector(row).to_text())
        for customer, row in zip(known, found, strict=False)
    ]
    with connection.cursor() as cursor:
        gone: list[Any] = [artifact, sorted(set(ids) - set(known))]
        for table in ("cdp_slate", "cdp_customervector"):
            cursor.execute(
                f"DELETE FROM {table} WHERE artifact_id = %s AND customer_id = ANY (%s)", gone
            )
        cursor.executemany(
            "INSERT INTO cdp_slate (artifact_id, customer_id, items) VALUES (%s, %s, %s::jsonb) "
            "ON CONFLICT (artifact_id, customer_id) DO UPDATE "
            "SET items = EXCLUDED.items, computed_at = now()",
            rows,
        )
        cursor.executemany(
            "INSERT INTO cdp_customervector (artifact_id, customer_id, vector) "
            "VALUES (%s, %s, %s::vector) ON CONFLICT (artifact_id, customer_id) "
            "DO UPDATE SET vector = EXCLUDED.vector",
            places,
        )
    return len(known)
