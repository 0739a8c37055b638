"""Read customers: by identifier, with their identifiers, profile and timeline."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from cdp.domain.identifiers import Key, Refused
from cdp.domain.normalisers import normalise
from cdp.domain.rules import Rules
from cdp.errors import CDPError
from cdp.models import Customer, Event, Identifier, Profile
from cdp.selectors.rules import active_rules


@dataclass(frozen=True)
class Found:
    """A customer and the identifier it was found by."""

    customer: Customer
    identifier: Identifier


def normalised(kind: str, value: str, region: str) -> Key:
    """The identifier that a caller names.

    Raises:
        CDPError: ``bad_identifier`` naming the reason.
    """
    result = _normalised(kind, value, region, active_rules())
    if isinstance(result, CDPError):
        raise result
    return result


def _normalised(kind: str, value: str, region: str, rules: Rules) -> Key | CDPError:
    result = normalise(kind, value, region, rules)
    if isinstance(result, Refused):
        return CDPError(
            "bad_identifier", f"{kind} {value!r:.80} is not an identifier: {result.reason}",
            field="identifier.value",
        )  # fmt: skip
    return result


def by_raw_identifiers(
    raw: Sequence[tuple[str, str]], region: str
) -> dict[tuple[str, str], Found | CDPError]:
    """The customers of (kind, raw value) pairs; a pair that names nobody gets its error."""
    rules = active_rules()
    keys = {pair: _normalised(*pair, region, rules) for pair in set(raw)}
    found = by_identifiers([key for key in keys.values() if isinstance(key, Key)])
    answers: dict[tuple[str, str], Found | CDPError] = {}
    for pair, key in keys.items():
        if isinstance(key, CDPError):
            answers[pair] = key
        elif key in found:
            answers[pair] = found[key]
    return answers


def by_identifiers(keys: Sequence[Key]) -> dict[Key, Found]:
    """The customers of several identifiers, in one query."""
    wanted = Q(pk__in=())
    for key in set(keys):
        wanted |= Q(kind=key.kind, value=key.value)
    rows = Identifier.objects.filter(wanted, customer__isnull=False).select_related("customer")
    return {
        Key(row.kind, row.value): Found(row.customer, row)
        for row in rows
        if row.customer is not None
    }


def by_public_id(public_id: uuid.UUID) -> Customer | None:
    """The customer of an id, following the redirect of an absorbed one to its survivor."""
    row = Customer.objects.filter(public_id=public_id).first()
    passed: set[int] = set()
    while row is not None and row.id not in passed:
        passed.add(row.id)
        anchor = Identifier.objects.select_related("customer").filter(id=row.id).first()
        if anchor is not None and anchor.customer is not None:
            return anchor.customer
        if row.successor is None:
            return row
        row = Customer.objects.filter(id=row.successor).first()
    return row


def identifiers_of(customers: Iterable[int]) -> dict[int, list[Identifier]]:
    rows: dict[int, list[Identifier]] = defaultdict(list)
    found = Identifier.objects.filter(customer_id__in=list(customers))
    for row in found.order_by("first_seen_at", "id"):
        assert row.customer_id is not None
        rows[row.customer_id].append(row)
    return rows


def profiles_of(customers: Iterable[int]) -> dict[int, Profile]:
    return Profile.objects.in_bulk(list(customers))


@dataclass(frozen=True)
class EventPage:
    events: list[Event]
    has_next: bool


def timeline(customer: int, first: int, after: tuple[datetime, int] | None = None) -> EventPage:
    """A customer's events, newest first; ``after`` is the (occurred_at, id) of the last one seen."""
    rows = Event.objects.filter(subject__customer_id=customer).select_related("source")
    if after is not None:
        at, id_ = after
        rows = rows.filter(Q(occurred_at__lt=at) | Q(occurred_at=at, id__lt=id_))
    page = list(rows.order_by("-occurred_at", "-id")[: first + 1])
    return EventPage(page[:first], len(page) > first)
