"""Write decisions: what changed, the event behind it, the rules, and who caused it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cdp.identity import arrays
from cdp.models import What
from cdp.statements import execute

LONGEST = 500


@dataclass(frozen=True)
class Cause:
    """Why an evaluation runs. ``events``: for links seen just now, an event with both ends."""

    actor: str = "resolver"
    reason: str = "event"
    events: Mapping[tuple[int, int], int] = field(default_factory=dict)


class Entry(NamedTuple):
    """One line of the ledger, before who and when are added."""

    what: What
    a: int | None = None
    b: int | None = None
    old_customer: int | None = None
    new_customer: int | None = None
    event: int | None = None
    reason: str = ""


def write(entries: Iterable[Entry], cause: Cause, rules_version: str) -> None:
    """Append to the ledger; an entry without a reason of its own takes the cause's."""
    rows = [
        entry
        if entry.reason and len(entry.reason) <= LONGEST
        else entry._replace(reason=(entry.reason or cause.reason)[:LONGEST])
        for entry in entries
    ]
    if not rows:
        return
    execute(
        """
        INSERT INTO cdp_decision (what, a_id, b_id, old_customer, new_customer, event, reason,
                                  rules_version, actor)
        SELECT t.*, %s, %s FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
                                       %s::bigint[], %s::bigint[], %s::text[]) AS t
        """,
        [
            rules_version,
            cause.actor,
            arrays.texts(row.what.value for row in rows),
            arrays.ints(row.a for row in rows),
            arrays.ints(row.b for row in rows),
            arrays.ints(row.old_customer for row in rows),
            arrays.ints(row.new_customer for row in rows),
            arrays.ints(row.event for row in rows),
            arrays.texts(row.reason for row in rows),
        ],
    )
