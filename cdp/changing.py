"""Change what identity is decided by, its rules and its matcher: all history is judged anew."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.utils import timezone

from cdp import draining, outbox
from cdp.errors import CDPError
from cdp.models import Matcher, OutboxMessage, RuleSet, RuleSetStatus, Topic
from cdp.pipeline import Advance, after_decision
from cdp.selectors.consistency import one_moment
from cdp.selectors.rules import rule_set
from cdp.stages import adopt_matcher as adopt_stage
from cdp.stages import change_rules
from cdp.stages.adopt_matcher import Adopted
from cdp.stages.adopt_matcher import Thresholds as Thresholds

log = logging.getLogger(__name__)
CHANGING_RULES_LOCK = 7_301_004


def keep_matcher(document: Mapping[str, Any], thresholds: Thresholds, **found: Any) -> Matcher:
    """A trained matcher as a candidate; it does nothing until it is adopted."""
    return adopt_stage.keep_matcher(document, thresholds, **found)


def adopt_matcher(
    number: int,
    actor: str,
    advance: Advance,
    thresholds: Thresholds | None = None,
    simulate: bool = False,
) -> Matcher:
    """Make a matcher active and match all records by it, in one transaction; ``simulate``: take
    everything back and only report what it would have changed."""
    return _adopted(lambda: adopt_stage.adopt_matcher(number, actor, thresholds, advance), simulate)


def retire_matcher(actor: str, advance: Advance, simulate: bool = False) -> Matcher:
    """Do without any matcher; reviews stay what people said."""
    return _adopted(lambda: adopt_stage.retire_matcher(actor, advance), simulate)


def _adopted(work: Callable[[], Adopted], simulate: bool) -> Matcher:
    def decide() -> Matcher:
        done = work()
        if simulate:
            transaction.set_rollback(True)
        else:
            after_decision(done.applied, done.rehung)
        return done.matcher

    return draining.retrying(decide)


def ask_matcher(number: int, actor: str, thresholds: Thresholds) -> Matcher:
    """Have a worker adopt a matcher.

    Raises:
        CDPError: ``no_such_matcher``, ``busy``.
    """
    with transaction.atomic():
        row = adopt_stage.asked(number)
        asked = {"matchers": [number], "request": row.doing, "actor": actor}
        outbox.add(Topic.RULES, {**asked, "thresholds": asdict(thresholds)})
    return row


def draft_rules(document: Mapping[str, Any], actor: str, reason: str) -> RuleSet:
    """Keep a changed rule set; it does nothing until it is applied."""
    return change_rules.draft_rules(document, actor, reason)


def simulate_rules(number: int, advance: Advance) -> RuleSet:
    """What a draft would change, at one moment; kept with it."""
    with one_moment():
        return change_rules.simulate_rules(number, advance)


def discard_rules(number: int, actor: str) -> RuleSet:
    with transaction.atomic():
        return change_rules.discard_rules(number, actor)


def apply_rules(number: int, actor: str, advance: Advance) -> RuleSet:
    """A draft becomes the rules that hold; all history is judged by it, in one transaction."""
    with transaction.atomic():
        done = change_rules.apply_rules(number, actor, advance)
        after_decision(done.applied, done.rehung)
    return rule_set(number)


def ask_rules(number: int, do: str, actor: str) -> RuleSet:
    """Have a worker simulate or apply a draft: it may take longer than a person waits for a page.

    Raises:
        CDPError: ``no_such_rules``, ``not_a_draft``, ``not_simulated``, ``busy``.
    """
    with transaction.atomic():
        row = change_rules.asked(number, do)
        outbox.add(Topic.RULES, {"rules": [number], "do": do, "actor": actor})
    return row


def process_rules() -> int:
    """Simulate or apply what was asked for, one worker at a time; returns how many."""
    return draining.alone(Topic.RULES, 1, CHANGING_RULES_LOCK, _take_in_rules)


def _take_in_rules(messages: list[OutboxMessage]) -> None:
    for message in messages:
        if "matchers" in message.payload:
            _take_in_matcher(message.payload)
            continue
        [number], actor = message.payload["rules"], message.payload["actor"]
        try:
            if message.payload["do"] != change_rules.APPLY:
                simulate_rules(number, _unseen)
            elif rule_set(number).status != RuleSetStatus.ACTIVE:  # else killed just after it
                apply_rules(number, actor, _unseen)
        except CDPError as error:
            change_rules.failed(number, error)
        except Exception as error:
            # Ours to mend; meanwhile the rule sets that wait behind it shall have their turn.
            log.exception("rule set %s", number)
            change_rules.failed(number, CDPError("internal", f"{type(error).__name__}: {error}"))
        else:
            change_rules.failed(number, None)


def _take_in_matcher(payload: Mapping[str, Any]) -> None:
    [number] = payload["matchers"]
    if not adopt_stage.stands(number, payload["request"]):
        return  # killed just after it was done
    try:
        adopt_matcher(number, payload["actor"], _unseen, Thresholds(**payload["thresholds"]))
    except CDPError as error:
        adopt_stage.failed(number, error)
    except Exception as error:
        log.exception("matcher %s", number)
        adopt_stage.failed(number, CDPError("internal", f"{type(error).__name__}: {error}"))


def _unseen(name: str, count: int) -> None:
    """Progress that nobody watches."""


def expire_links(advance: Advance) -> bool:
    """Let links that were not seen for too long stop counting; True when any rule asks for it."""
    with transaction.atomic():
        done = change_rules.expire_links(timezone.now(), advance)
        if done is None:
            return False
        after_decision(done.applied, done.rehung)
    return True


def rebuild_identity(actor: str, advance: Advance) -> None:
    """Links, customers and subjects anew, from the events alone; profiles and graph follow."""
    with transaction.atomic():
        done = change_rules.rebuild_identity(actor, advance)
        after_decision(done.applied, done.rehung)


def check_identity(advance: Advance) -> dict[str, tuple[int, list[str]]]:
    with one_moment():
        return change_rules.identity_differences(advance)
