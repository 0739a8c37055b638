"""What an admin means by merging two customers or splitting one, as pairs of identifiers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from cdp.domain.identifiers import Key
from cdp.errors import CDPError
from cdp.models import Customer, Identifier
from cdp.selectors.customers import by_public_id

Pairs = list[tuple[Key, Key]]


def living(public_id: str, field: str) -> Customer:
    """The customer of a public id, or of the id that absorbed it.

    Raises:
        CDPError: ``bad_identifier``; ``no_such_customer``: unknown, or nobody belongs to it.
    """
    try:
        row = by_public_id(uuid.UUID(public_id.strip()))
    except ValueError:
        raise CDPError("bad_identifier", "a customer id is a UUID", field=field) from None
    if row is None or not Identifier.objects.filter(customer=row).exists():
        raise CDPError("no_such_customer", f"there is no customer {public_id}", field=field)
    return row


def merge_pairs(one: Customer, other: Customer) -> Pairs:
    """
    Raises:
        CDPError: ``already_one``.
    """
    if one == other:
        raise CDPError("already_one", "both are this customer already", field="other")
    return [(_anchor(one), _anchor(other))]


def split_pairs(customer: Customer, leaving: Iterable[int]) -> Pairs:
    """Every identifier that leaves against every one that stays.

    Raises:
        CDPError: ``no_such_identifier``: one is not the customer's; ``nobody_left``: all leave, or
            none.
    """
    members = {
        row.pk: Key(row.kind, row.value)
        for row in Identifier.objects.filter(customer=customer, shared=False)
    }
    gone = set(leaving)
    if unknown := gone - members.keys():
        raise CDPError(
            "no_such_identifier", f"{min(unknown)} is none of this customer's", field="leaving"
        )
    stay = members.keys() - gone
    if not gone or not stay:
        raise CDPError("nobody_left", "some must leave and some must stay", field="leaving")
    return [(members[a], members[b]) for a in sorted(gone) for b in sorted(stay)]


def _anchor(customer: Customer) -> Key:
    row = Identifier.objects.get(pk=customer.pk)
    return Key(row.kind, row.value)
