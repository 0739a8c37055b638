"""Lock what a decision depends on, in one order, until it holds still.

Read-committed on purpose: the re-read after a lock must see what others committed meanwhile.
Plain SQL with arrays: a batch names thousands of rows, one bound value each is too slow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.db import connection

from cdp.identity import arrays

RULES_LOCK = 7_301_003


def hold_rules() -> None:
    """Until the transaction ends the rules stay what they are; many may hold them at once.

    Taken before any row lock, so that who changes the rules waits for nobody who waits for him.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [RULES_LOCK])


def change_rules_alone() -> None:
    """Until the transaction ends nobody else decides on identities."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RULES_LOCK])


class Held(NamedTuple):
    """Locked identifiers: those that belong to nobody yet, and those that are shared."""

    unresolved: set[int]
    shared: set[int]


def lock_identifiers(identifiers: Iterable[int]) -> Held:
    """Hold still the identifiers of a batch: whose they are, and whether they are shared.

    Without it, an event could hang on an identifier that another worker is just turning shared.
    """
    held = Held(set(), set())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, customer_id IS NULL, shared, gone_at IS NOT NULL FROM cdp_identifier
            WHERE id = ANY (%s::bigint[]) ORDER BY id FOR NO KEY UPDATE
            """,
            [arrays.ints(sorted(set(identifiers)))],
        )
        rows = cursor.fetchall()
        if back := [id_ for id_, _, _, gone in rows if gone]:
            cursor.execute(
                "UPDATE cdp_identifier SET gone_at = NULL WHERE id = ANY (%s::bigint[])",
                [arrays.ints(back)],
            )
        for id_, unresolved, shared, _ in rows:
            held.unresolved.update([id_] if unresolved else ())
            held.shared.update([id_] if shared else ())
    return held


def lock_components(identifiers: Iterable[int]) -> set[int]:
    """Lock the evidence components of these identifiers; returns the component ids.

    The row of a component's smallest identifier is its lock.
    """
    return _hold("cdp_identifier", _COMPONENTS, identifiers)


def lock_customers(identifiers: Iterable[int], also: Iterable[int] = ()) -> set[int]:
    """Lock the customers that these identifiers belong to (and ``also``); returns their ids."""
    return _hold("cdp_customer", _CUSTOMERS, identifiers, also)


_COMPONENTS = "SELECT component AS id FROM cdp_identifier WHERE id = ANY (%s::bigint[])"
_CUSTOMERS = """
    SELECT customer_id AS id FROM cdp_identifier
    WHERE id = ANY (%s::bigint[]) AND customer_id IS NOT NULL
"""


def _hold(table: str, query: str, identifiers: Iterable[int], also: Iterable[int] = ()) -> set[int]:
    """Lock what a query names, and read again after each lock: another worker may have joined or
    parted it while we waited."""
    named, extra = sorted(set(identifiers)), set(also)
    if not named and not extra:
        return set()
    ids = arrays.ints(named)
    held = _column(
        f"""
        SELECT id FROM {table} WHERE id IN ({query} UNION SELECT unnest(%s::bigint[]))
        ORDER BY id FOR NO KEY UPDATE
        """,
        [ids, arrays.ints(sorted(extra))],
    )
    while True:
        wanted = _column(query, [ids]) | extra
        if wanted <= held:
            return wanted
        _lock(table, wanted - held)
        held |= wanted


def _lock(table: str, ids: Iterable[int]) -> None:
    _column(
        f"SELECT id FROM {table} WHERE id = ANY (%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
        [arrays.ints(sorted(set(ids)))],
    )


def _column(query: str, parameters: list[str]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return {row[0] for row in cursor.fetchall()}
