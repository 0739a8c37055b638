"""Lock what a decision depends on, in one order, until it holds still.

Read-committed on purpose: the re-read after a lock must see what others committed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable

from cdp.models import Customer, Identifier


def lock_identifiers(identifiers: Iterable[int]) -> None:
    """Hold still the identifiers of a batch: whose they are, and whether they are shared.

    Without it, an event could hang on an identifier that another worker is just turning shared.
    """
    list(
        Identifier.objects.filter(id__in=sorted(set(identifiers)))
        .order_by("id")
        .select_for_update(no_key=True)
        .values_list("id", flat=True)
    )


def lock_components(identifiers: Iterable[int]) -> set[int]:
    """Lock the evidence components of these identifiers; returns the component ids.

    The row of a component's smallest identifier is its lock. Another worker may have joined or
    parted components while we waited, so read again after each lock.
    """
    ids = sorted(set(identifiers))
    held: set[int] = set()
    while True:
        rows = Identifier.objects.filter(id__in=ids)
        wanted = set(rows.values_list("component", flat=True))
        if wanted <= held:
            return wanted
        missing = sorted(wanted - held)
        list(
            Identifier.objects.filter(id__in=missing)
            .order_by("id")
            .select_for_update(no_key=True)
            .values_list("id", flat=True)
        )
        held |= wanted


def lock_customers(identifiers: Iterable[int], also: Iterable[int] = ()) -> set[int]:
    """Lock the customers that these identifiers belong to (and ``also``); returns their ids."""
    ids = sorted(set(identifiers))
    held: set[int] = set()
    extra = set(also)
    while True:
        rows = Identifier.objects.filter(id__in=ids, customer__isnull=False)
        wanted = set(rows.values_list("customer_id", flat=True)) | extra
        if wanted <= held:
            return wanted
        list(
            Customer.objects.filter(id__in=sorted(wanted - held))
            .order_by("id")
            .select_for_update(no_key=True)
            .values_list("id", flat=True)
        )
        held |= wanted
