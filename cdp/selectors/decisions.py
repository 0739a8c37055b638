"""Read the ledger of identity decisions."""

from __future__ import annotations

from django.db.models import Q

from cdp.models import Decision


def decisions_of(customer: int, first: int) -> list[Decision]:
    """The latest decisions on the identifiers of a customer, and on those that left it."""
    mine = Q(a__customer_id=customer) | Q(b__customer_id=customer) | Q(old_customer=customer)
    rows = Decision.objects.filter(mine).select_related("a", "b")
    return list(rows.order_by("-id")[:first])
