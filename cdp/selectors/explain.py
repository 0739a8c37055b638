"""Why are two identifiers one customer? The shortest path of links, with an event for each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from django.db.models import Q

from cdp.models import Event, Identifier, Link


@dataclass(frozen=True)
class Step:
    """Two identifiers seen together, and one event in which they were."""

    a: Identifier
    b: Identifier
    event: Event | None
    count: int


def path(start: int, end: int) -> list[Step]:
    """The steps from one identifier to another of the same customer; empty when there are none."""
    members = {row.id: row for row in _members(start)}
    if end not in members:
        return []
    links = Link.objects.filter(Q(a_id__in=members), Q(b_id__in=members))
    near: dict[int, list[Link]] = {}
    for link in links.order_by("a_id", "b_id"):
        near.setdefault(link.a_id, []).append(link)
        near.setdefault(link.b_id, []).append(link)
    came: dict[int, Link | None] = {start: None}
    queue = deque([start])
    while queue and end not in came:
        here = queue.popleft()
        for link in near.get(here, []):
            other = link.b_id if link.a_id == here else link.a_id
            if other not in came:
                came[other] = link
                queue.append(other)
    return _steps(came, members, end) if end in came else []


def _members(identifier: int) -> list[Identifier]:
    row = Identifier.objects.filter(id=identifier, customer__isnull=False).first()
    if row is None or row.customer_id is None:
        return []
    return list(Identifier.objects.filter(customer_id=row.customer_id))


def _steps(came: dict[int, Link | None], members: dict[int, Identifier], end: int) -> list[Step]:
    steps: list[Step] = []
    here = end
    while (link := came[here]) is not None:
        before = link.a_id if link.b_id == here else link.b_id
        event = (
            Event.objects.filter(identifiers__contains=[before, here])
            .order_by("occurred_at")
            .first()
        )
        steps.append(Step(members[before], members[here], event, link.count))
        here = before
    return steps[::-1]
