"""Write the records that events carry, beside the identifiers that stand for them."""

from __future__ import annotations

from collections.abc import Collection

from cdp.domain.identifiers import RECORD, Key
from cdp.identity import arrays
from cdp.identity.evidence import Seen
from cdp.statements import execute


def write_records(seen: list[Seen], ids: dict[Key, int], new: Collection[int]) -> set[int]:
    """Keep the fields of records seen for the first time; returns their identifiers."""
    carried = {
        ids[key]: item.event
        for item in seen
        for key in item.keys
        if key.kind == RECORD and ids[key] in new
    }
    if not carried:
        return set()
    execute(
        """
        INSERT INTO cdp_record (identifier_id, fields)
        SELECT t.id, e.parsed->'record'
        FROM unnest(%s::bigint[], %s::bigint[]) AS t(id, event)
        JOIN cdp_event e ON e.id = t.event ORDER BY t.id
        ON CONFLICT (identifier_id) DO NOTHING
        """,
        [arrays.ints(carried), arrays.ints(carried.values())],
    )
    return set(carried)
