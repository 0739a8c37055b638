"""Lock what a decision depends on, in one order, until it holds still.

Read-committed on purpose: the re-read after a lock must see what others committed meanwhile.
Plain SQL with arrays: a batch names thousands of rows, one bound value each is too slow.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from cdp.domain.rules import Rules
from cdp.identity import arrays
from cdp.selectors.rules import ACTIVE, rules_in
from cdp.statements import execute, together

RULES_LOCK = 7_301_003


def hold_rules() -> Rules:
    """Until the transaction ends the rules stay what they are; many may hold them at once.

    Taken before any row lock, so that who changes the rules waits for nobody who waits for him.
    """
    lock = "SELECT pg_advisory_xact_lock_shared(%s)"
    _, active = together((lock, [RULES_LOCK]), (ACTIVE, []))
    return rules_in(active)


def change_rules_alone() -> None:
    """Until the transaction ends nobody else decides on identities."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RULES_LOCK])


def lock_identifiers(identifiers: Iterable[int]) -> None:
    """Hold identifiers still: what hangs on them is counted, nobody may add to it meanwhile."""
    execute(
        "SELECT FROM cdp_identifier WHERE id = ANY (%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
        [arrays.ints(sorted(set(identifiers)))],
    )


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
    lock = f"""
        SELECT id FROM {table} WHERE id IN ({query} UNION SELECT unnest(%s::bigint[]))
        ORDER BY id FOR NO KEY UPDATE
    """
    held: set[int] = set()
    while True:
        locked, now = together((lock, [ids, arrays.ints(sorted(extra))]), (query, [ids]))
        held.update(id_ for (id_,) in locked)
        wanted = extra | {id_ for (id_,) in now}
        if wanted <= held:
            return wanted
        held |= wanted  # a row that is not there cannot be locked, and is not waited for
