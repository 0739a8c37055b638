"""Who is logged in on a device, and when: marks derived from events, and whom they switch.

An event that names a device and an account says: from here on this person holds the device. A
logout ends it. Only a device on which several people log in is *switched*: there, what happens
between two marks belongs to the one logged in, and what happens after a logout to the device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from cdp.domain.identifiers import DEVICES, Key
from cdp.identity import arrays
from cdp.identity.evidence import Seen
from cdp.statements import execute

PERSON_KIND = "user_id"
LOGOUTS = ("signed out", "logged out", "sign out", "log out", "logout", "user signed out")

_MARKS = """
    SELECT e.id AS event_id, d.id AS device_id, p.id AS person_id, e.occurred_at, e.message_id
    FROM cdp_event e
    JOIN cdp_identifier d ON d.id = ANY (e.identifiers) AND d.kind = ANY (%(devices)s)
    LEFT JOIN LATERAL (
        SELECT i.id FROM cdp_identifier i
        WHERE i.id = ANY (e.identifiers) AND i.kind = %(person)s
        ORDER BY i.value COLLATE "C" LIMIT 1) AS p ON true
    WHERE {where} AND e.resolved_at IS NOT NULL
          AND (p.id IS NOT NULL OR lower(e.name) = ANY (%(logouts)s))
"""
_STORED = "SELECT event_id, device_id, person_id, occurred_at, message_id FROM cdp_devicelogin"


# Do several people log in on it? Two looks into an index, however many marks a device has.
SWITCHED = """
    (SELECT min(person_id) FROM cdp_devicelogin WHERE device_id = {device})
    < (SELECT max(person_id) FROM cdp_devicelogin WHERE device_id = {device})
"""


class Stretch(NamedTuple):
    """The time on a device in which new marks may have changed who holds it; no end: until now."""

    device: int
    start: datetime | None
    end: datetime | None


def says_who_holds(seen: Seen) -> bool:
    """Does the event mark a device: an account with it, or a logout?"""
    kinds = {key.kind for key in seen.keys}
    if kinds.isdisjoint(DEVICES):
        return False
    return PERSON_KIND in kinds or seen.name.lower() in LOGOUTS


def mark(seen: Iterable[Seen], ids: Mapping[Key, int]) -> list[Stretch]:
    """Write the marks of these events; returns the stretches of switched devices they change.

    The same marks as ``_MARKS`` finds in SQL, made here because the identifiers are at hand.
    """
    rows = [
        (item.event, ids[key], _person(item, ids))
        for item in seen
        if says_who_holds(item)
        for key in item.keys
        if key.kind in DEVICES
    ]
    if not rows:
        return []
    new: dict[int, list[datetime]] = {}
    found = execute(
        """
        INSERT INTO cdp_devicelogin (event_id, device_id, person_id, occurred_at, message_id)
        SELECT t.event, t.device, t.person, e.occurred_at, e.message_id
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS t(event, device, person)
        JOIN cdp_event e ON e.id = t.event
        ON CONFLICT (event_id, device_id) DO NOTHING
        RETURNING device_id, occurred_at
        """,
        [
            arrays.ints(event for event, _, _ in rows),
            arrays.ints(device for _, device, _ in rows),
            arrays.ints(person for _, _, person in rows),
        ],
    )
    for device, at in found:
        new.setdefault(device, []).append(at)
    switched = execute(
        f"SELECT d FROM unnest(%s::bigint[]) AS d WHERE {SWITCHED.format(device='d')} ORDER BY d",
        [arrays.ints(new)],
    )
    return [_stretch(device, new[device]) for (device,) in switched]


def _person(item: Seen, ids: Mapping[Key, int]) -> int | None:
    accounts = [key for key in item.keys if key.kind == PERSON_KIND]
    return ids[min(accounts)] if accounts else None


_PEOPLE = """
    SELECT count(DISTINCT person_id) FILTER (WHERE NOT occurred_at = ANY (%(new)s::timestamptz[])),
           min(occurred_at) FILTER (WHERE occurred_at > %(last)s)
    FROM cdp_devicelogin WHERE device_id = %(device)s
"""


def _stretch(device: int, new: list[datetime]) -> Stretch:
    """From the first new mark to the next old one after the last; all of the device's time where it
    is switched only since these marks."""
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, {"device": device, "new": arrays.moments(new), "last": max(new)})
        before, after = cursor.fetchone() or (0, None)
    return Stretch(device, min(new), after) if before > 1 else Stretch(device, None, None)


def mark_anew() -> None:
    """Every mark from the events as they name people now."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM cdp_devicelogin")
        cursor.execute(
            f"""
            INSERT INTO cdp_devicelogin (event_id, device_id, person_id, occurred_at, message_id)
            {_MARKS.format(where="true")}
            """,
            _words(),
        )


def differences() -> int:
    """How many marks are not what the events say."""
    fresh = _MARKS.format(where="true")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH fresh AS ({fresh}), stored AS ({_STORED})
            SELECT count(*) FROM ((TABLE fresh EXCEPT TABLE stored)
                                  UNION ALL (TABLE stored EXCEPT TABLE fresh)) AS d
            """,
            _words(),
        )
        row = cursor.fetchone()
        return int(row[0]) if row else 0


def _words() -> dict[str, str | list[str]]:
    return {"devices": list(DEVICES), "person": PERSON_KIND, "logouts": list(LOGOUTS)}
