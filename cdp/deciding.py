"""What people decide of identities, each word with everything that follows from it in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from django.db import transaction

from cdp import draining
from cdp.domain.identifiers import Key
from cdp.models import Assertion, Label, Verdict
from cdp.pipeline import after_decision
from cdp.selectors.by_hand import living, merge_pairs, split_pairs
from cdp.selectors.decisions import Rehearsal, rehearsal
from cdp.stages import assert_link as assert_link_stage
from cdp.stages import review as review_stage


def assert_link(a: Key, b: Key, verdict: Verdict, actor: str, reason: str) -> Assertion:
    """A person's word: two identifiers are one customer, or never are."""
    return assert_links([(a, b)], verdict, actor, reason)


def assert_links(
    pairs: Sequence[tuple[Key, Key]], verdict: Verdict, actor: str, reason: str
) -> Assertion:
    """Several words that belong together; the first names them all."""

    def decide() -> Assertion:
        done = assert_link_stage.assert_links(pairs, verdict, actor, reason)
        after_decision(done.applied, done.rehung)
        return done.words[0]

    return draining.retrying(decide)


def merge_customers(one: str, other: str, actor: str, reason: str) -> Assertion:
    """Two customers (public ids) are one person."""
    pairs = merge_pairs(living(one, "one"), living(other, "other"))
    return assert_links(pairs, Verdict.MUST_LINK, actor, reason)


def split_customer(customer: str, leaving: Iterable[int], actor: str, reason: str) -> Assertion:
    """These identifiers are another person than the rest of the customer, whatever comes."""
    pairs = split_pairs(living(customer, "customer"), leaving)
    return assert_links(pairs, Verdict.CANNOT_LINK, actor, reason)


def retract_assertion(assertion: int, actor: str, reason: str) -> Assertion:
    """Take an assertion back: customers, ids, profiles and graph become what they were."""

    def decide() -> Assertion:
        done = assert_link_stage.retract(assertion, actor, reason)
        after_decision(done.applied, done.rehung)
        return done.words[0]

    return draining.retrying(decide)


def rehearse(decide: Callable[[], Assertion]) -> Rehearsal:
    """What a decision would move, found by taking it and rolling it back."""

    def tried() -> Rehearsal:
        found = rehearsal(decide())
        transaction.set_rollback(True)
        return found

    return draining.retrying(tried)


def review(match: int, same: bool, actor: str, reason: str) -> Label:
    """A person's verdict on two records that match: an assertion, and a pair to learn from."""

    def decide() -> Label:
        row = review_stage.claim(match)
        verdict = Verdict.MUST_LINK if same else Verdict.CANNOT_LINK
        pair = review_stage.pair_of(row)
        done = assert_link_stage.assert_links([pair], verdict, actor, reason)
        after_decision(done.applied, done.rehung)
        return review_stage.label(row, same, done.words[0])

    return draining.retrying(decide)
