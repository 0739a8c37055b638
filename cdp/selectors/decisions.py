"""Read the ledger of identity decisions."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Q

from cdp.models import Assertion, Customer, Decision, Identifier, What

MOVES = (What.MERGED, What.SPLIT)


@dataclass(frozen=True)
class Move:
    """An identifier and the customers (public ids) that it leaves and joins."""

    identifier: str
    old: str
    new: str


@dataclass(frozen=True)
class Rehearsal:
    """What a decision does. ``surprises`` (of an undo): identifiers that do not return to the
    customer they had before the assertion, because of what was seen or said since."""

    moves: list[Move]
    flipped: list[str]
    surprises: list[str] = field(default_factory=list)

    @property
    def customers(self) -> list[str]:
        return sorted({id_ for move in self.moves for id_ in (move.old, move.new)})


def decisions_of(customer: int, first: int) -> list[Decision]:
    """The latest decisions on the identifiers of a customer, and on those that left it."""
    members = list(Identifier.objects.filter(customer_id=customer).values_list("id", flat=True))
    found: dict[int, Decision] = {}
    # One query an index; a single one with OR would read the whole ledger.
    for mine in (Q(a_id__in=members), Q(b_id__in=members), Q(old_customer=customer)):
        rows = Decision.objects.filter(mine).select_related("a", "b").order_by("-id")
        found |= {row.pk: row for row in rows[:first]}
    return [found[pk] for pk in sorted(found, reverse=True)[:first]]


def rehearsal(word: Assertion) -> Rehearsal:
    """What an assertion just made, or the retraction just done, moved."""
    undone = Assertion.objects.filter(pk=word.pk, retracted_at__isnull=False).exists()
    made = f"assertion {word.together or word.pk}"
    rows = _rows(f"retraction of {made}" if undone else made)
    surprises = _surprises(made) if undone else []
    flips = [f"{row.a} turns {row.what}" for row in rows if row.what not in MOVES]
    return Rehearsal(_moves([row for row in rows if row.what in MOVES]), flips, surprises)


def _rows(reason: str) -> list[Decision]:
    kinds = [*MOVES, What.SHARED, What.UNSHARED]
    rows = Decision.objects.filter(reason=reason, what__in=kinds)
    return list(rows.select_related("a").order_by("a__kind", "a__value", "id"))


def _moves(rows: list[Decision]) -> list[Move]:
    ids = {id_ for row in rows for id_ in (row.old_customer or 0, row.new_customer or 0)}
    public = dict(Customer.objects.filter(id__in=ids).values_list("id", "public_id"))
    return [
        Move(str(row.a), str(public[row.old_customer or 0]), str(public[row.new_customer or 0]))
        for row in rows
    ]


def _surprises(made: str) -> list[str]:
    """What the assertion had moved and the retraction does not undo: judged by who is together
    with whom (customer ids may have changed hands meanwhile)."""
    rows = Decision.objects.filter(reason=made, what__in=MOVES).select_related("a").order_by("id")
    ends = {i or 0 for row in rows for i in (row.a_id, row.old_customer, row.new_customer)}
    now = dict(Identifier.objects.filter(id__in=ends).values_list("id", "customer_id"))
    found: list[str] = []
    for row in rows:
        here = now.get(row.a_id or 0)
        if row.what == What.MERGED and here == now.get(row.new_customer or 0):
            found.append(
                f"{row.a} stays with whom it was merged: what was seen or said since joins them"
            )
        elif here != now.get(row.old_customer or 0):
            found.append(
                f"{row.a} does not return to whom it was with: later evidence keeps them apart"
            )
    return list(dict.fromkeys(found))
