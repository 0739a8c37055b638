"""The feed of profile changes for integrations that keep a copy."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.db.models import F, Q

from cdp.models import Profile

Cursor = tuple[int, int]


@dataclass(frozen=True)
class ChangePage:
    profiles: list[Profile]
    has_next: bool


def profile_changes(first: int, after: Cursor | None) -> ChangePage:
    """Profiles in the order their last changes committed; each appears once, at its latest.

    Only transactions older than every one still running are read: whatever commits later has a
    greater transaction id, so a reader that keeps its cursor misses nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        row = cursor.fetchone()
        assert row is not None
        horizon: int = row[0]
    rows = Profile.objects.filter(changed_xid__lt=horizon).select_related("customer")
    if after is not None:
        xid, customer = after
        rows = rows.filter(Q(changed_xid__gt=xid) | Q(changed_xid=xid, customer_id__gt=customer))
    page = list(rows.order_by(F("changed_xid"), "customer_id")[: first + 1])
    return ChangePage(page[:first], len(page) > first)
