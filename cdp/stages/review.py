"""A person's verdict on two records that a matcher could not decide: claimed, then labelled."""

from __future__ import annotations

from cdp.domain.identifiers import Key
from cdp.errors import CDPError
from cdp.identity.locks import hold_rules
from cdp.models import Assertion, Label, Match
from cdp.selectors.reviews import live_label


def claim(match: int) -> Match:
    """Lock a match for this verdict.

    Raises:
        CDPError: ``no_such_match``; ``already_reviewed`` naming by whom.
    """
    hold_rules()  # before any row lock, like everybody
    row = (
        Match.objects.select_for_update(of=("self",))
        .select_related("a__identifier", "b__identifier")
        .filter(pk=match)
        .first()
    )
    if row is None:
        raise CDPError("no_such_match", f"there is no match {match} any more", field="match")
    label = live_label(row.a_id, row.b_id)
    if label is not None:
        said = "the same" if label.same else "different"
        raise CDPError(
            "already_reviewed",
            f"{label.assertion.actor} said meanwhile that they are {said}",
            field="match",
        )
    return row


def pair_of(row: Match) -> tuple[Key, Key]:
    one, other = row.a.identifier, row.b.identifier
    return Key(one.kind, one.value), Key(other.kind, other.value)


def label(row: Match, same: bool, assertion: Assertion) -> Label:
    return Label.objects.create(
        a_id=row.a_id, b_id=row.b_id, same=same, weight=row.weight, shown_as=row.verdict,
        assertion=assertion,
    )  # fmt: skip
