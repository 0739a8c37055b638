"""Hold the records that came against those that are there, and join whose weight is enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cdp.identity.evaluate import Applied, evaluate
from cdp.identity.ledger import Cause
from cdp.identity.locks import hold_rules, lock_components
from cdp.identity.matching import enter, judged_anew
from cdp.identity.subjects import Rehung, rehang_naming
from cdp.selectors.matchers import active_matcher


@dataclass
class Matched:
    """What the matches of a batch of records changed."""

    applied: Applied = field(default_factory=Applied)
    rehung: list[Rehung] = field(default_factory=list)


def match_records(records: Iterable[int]) -> Matched:
    """Weigh records (identifier ids) and re-evaluate whom they concern, in the caller's
    transaction; nothing happens while no matcher is active (adopting one takes them all)."""
    rules = hold_rules()
    matcher = active_matcher()
    if matcher is None:
        return Matched()
    ids = set(records)
    touched = enter(matcher, ids).touched | judged_anew(ids)
    if not touched:
        return Matched()
    cause = Cause(f"matcher {matcher.number}", "match")
    applied = evaluate(lock_components(touched), rules, cause)
    return Matched(applied, rehang_naming(applied.flipped, rules))
