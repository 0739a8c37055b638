"""The one page that says what follows what.

ingest ─► outbox ─► resolve ─► observe ─► fold ─► outbox ─► project (graph)
                       └─► outbox ─► match (records of people) ─► observe ─► fold ─► …
                       fold ─► outbox ─► refresh (slates of who acted)
facts ─► render (texts)      served ─► record (exposures)

What works in PostgreSQL is one transaction: claimed messages are deleted with the work they asked
for, so a worker killed anywhere leaves the work to the next one, undone and not half done. What
works in the graph is harmless to repeat, and its messages are deleted after it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from cdp import draining, outbox
from cdp.domain.events import Envelope
from cdp.domain.identifiers import Key
from cdp.errors import CDPError
from cdp.identity.evaluate import Applied
from cdp.identity.subjects import Rehung
from cdp.models import (
    Artifact,
    Assertion,
    ConsistencyReport,
    ImportRun,
    Label,
    Matcher,
    OutboxMessage,
    ReceiptStatus,
    RuleSet,
    RuleSetStatus,
    Source,
    Topic,
    Verdict,
)
from cdp.selectors.by_hand import living, merge_pairs, split_pairs
from cdp.selectors.consistency import one_moment
from cdp.selectors.decisions import Rehearsal, rehearsal
from cdp.selectors.rules import rule_set
from cdp.stages import adopt_matcher as adopt_stage
from cdp.stages import assert_link as assert_link_stage
from cdp.stages import change_rules, match, publish, rebuild
from cdp.stages import review as review_stage
from cdp.stages.adopt_matcher import Adopted
from cdp.stages.adopt_matcher import Thresholds as Thresholds
from cdp.stages.fold import differences, fold
from cdp.stages.import_file import import_rows, start
from cdp.stages.ingest import Outcome as Outcome
from cdp.stages.ingest import ingest
from cdp.stages.measure import measure
from cdp.stages.observe import observe
from cdp.stages.project import project
from cdp.stages.record import record
from cdp.stages.refresh import refresh
from cdp.stages.render import due_products, make_due, render
from cdp.stages.resolve import resolve

log = logging.getLogger(__name__)
Advance = rebuild.Advance
PROJECTOR_LOCK = 7_301_001
CHANGING_RULES_LOCK = 7_301_004
EVENT_MESSAGES = 10
RECORDS = 100
RECORD_MESSAGES = 4
GRAPH_MESSAGES = 40
SLATE_MESSAGES = 10
LATER_MESSAGES = 1  # so that who acts meanwhile waits for few
GRAPH_IDS = 20_000
CONTENT_PRODUCTS = 500


def process_events(limit: int = EVENT_MESSAGES) -> int:
    """Resolve, profile and hand on the next accepted events; returns how many messages it did."""
    return draining.in_transaction(Topic.EVENTS, limit, _take_in_events)


def match_records(limit: int = RECORD_MESSAGES) -> int:
    """Match the next records of people with those known; returns how many messages it did."""
    return draining.in_transaction(Topic.RECORDS, limit, _take_in_records)


def project_graph(limit: int = GRAPH_MESSAGES) -> int:
    """Bring the graph up to date; one projector at a time, the others have nothing to do."""
    return draining.alone(Topic.GRAPH, limit, PROJECTOR_LOCK, _take_in_graph)


def refresh_slates(limit: int = SLATE_MESSAGES) -> int:
    """Compute the slates of who acted anew, then a few of a whole shop's that wait; returns how many
    messages it did."""
    done = draining.in_transaction(Topic.SLATES, limit, _take_in_slates)
    return done + draining.in_transaction(Topic.SLATES_LATER, LATER_MESSAGES, _take_in_slates)


def roll_back(actor: str, reason: str) -> Artifact:
    """Let the artifact serve again that served before; the present one is refused."""
    return publish.roll_back(actor, reason)


def record_exposures(rows: list[dict[str, Any]]) -> None:
    """Write what was served; called off the path of the requests that served it."""
    record(rows)


def accept(source: Source, messages: Sequence[object], envelope: Envelope) -> list[Outcome]:
    """Take in messages of one request; durable when it returns."""
    return ingest(source, messages, envelope)


def start_import(source: Source, fingerprint: str) -> ImportRun:
    """The import of one file into one source: new, or where it was interrupted."""
    return start(source, fingerprint)


def import_events(
    run: ImportRun, messages: Iterator[object], advance: Callable[[int], None]
) -> ImportRun:
    """A file's messages through the same ingestion as HTTP."""

    def statuses(source: Source, part: list[object], envelope: Envelope) -> list[ReceiptStatus]:
        return [outcome.status for outcome in ingest(source, part, envelope)]

    return import_rows(run, messages, statuses, advance)


def drain(advance: Callable[[int], None] = lambda done: None) -> int:
    """Work here until nothing is due in the outbox; returns how many messages were done."""
    total = 0
    while True:
        done = process_events() + match_records() + project_graph() + refresh_slates()
        if not done:
            return total
        total += done
        advance(done)


def refresh_content() -> int:
    """Render the texts whose facts or specs are new or changed; returns how many were written."""
    written = 0
    while due := due_products(CONTENT_PRODUCTS):
        written += render(due)
    return written


def spec_changed() -> None:
    """A channel's rules for texts changed: its texts are due."""
    make_due()


def assert_link(a: Key, b: Key, verdict: Verdict, actor: str, reason: str) -> Assertion:
    """A person's word: two identifiers are one customer, or never are."""
    return assert_links([(a, b)], verdict, actor, reason)


def assert_links(
    pairs: Sequence[tuple[Key, Key]], verdict: Verdict, actor: str, reason: str
) -> Assertion:
    """Several words that belong together; the first names them all."""

    def decide() -> Assertion:
        done = assert_link_stage.assert_links(pairs, verdict, actor, reason)
        _after_decision(done.applied, done.rehung)
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
        _after_decision(done.applied, done.rehung)
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
        _after_decision(done.applied, done.rehung)
        return review_stage.label(row, same, done.words[0])

    return draining.retrying(decide)


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
            _after_decision(done.applied, done.rehung)
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
        _after_decision(done.applied, done.rehung)
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
        _after_decision(done.applied, done.rehung)
    return True


def rebuild_identity(actor: str, advance: Advance) -> None:
    """Links, customers and subjects anew, from the events alone; profiles and graph follow."""
    with transaction.atomic():
        done = change_rules.rebuild_identity(actor, advance)
        _after_decision(done.applied, done.rehung)


def check_identity(advance: Advance) -> dict[str, tuple[int, list[str]]]:
    with one_moment():
        return change_rules.identity_differences(advance)


def _after_decision(applied: Applied, rehung: list[Rehung]) -> None:
    recount = {id_ for _, old, new in rehung for id_ in (old, new) if id_ is not None}
    observe(recount=recount)
    changed = fold(recount | applied.moved, applied.customers)
    identities = applied.moved | applied.flipped | recount
    _hand_to_graph([], identities, {*applied.customers, *changed}, rehung)
    outbox.add_slates({*applied.customers, *changed})


def _take_in_events(messages: list[OutboxMessage]) -> None:
    events = sorted({id_ for message in messages for id_ in message.payload["events"]})
    done = resolve(events)
    told = observe(done.acts, done.words, done.recount)
    changed = fold(told | done.moved, done.customers)
    records = sorted(done.records)
    for first in range(0, len(records), RECORDS):
        outbox.add(Topic.RECORDS, {"records": records[first : first + RECORDS]})
    identities = done.moved | done.flipped | done.recount
    _hand_to_graph(done.acts, identities, {*done.customers, *changed}, done.rehung)
    outbox.add_slates({*done.customers, *changed})


def _take_in_records(messages: list[OutboxMessage]) -> None:
    done = match.match_records({id_ for message in messages for id_ in message.payload["records"]})
    _after_decision(done.applied, done.rehung)


def _hand_to_graph(
    events: list[int], identities: Iterable[int], customers: Iterable[int], rehung: list[Rehung]
) -> None:
    """Ask for the projection of what changed, a limited part a message; customers last, so that
    one which everybody left is seen to be empty."""
    moved: dict[str, list[Any]] = {
        "events": events,
        "identities": sorted(identities),
        "reattributed": sorted(one.event for one in rehung),
        "stale": sorted([one.event, one.old] for one in rehung if one.old is not None),
    }
    if all(len(ids) <= GRAPH_IDS for ids in moved.values()):
        together = {**moved, "customers": sorted(customers)}
        if any(together.values()):
            outbox.add(Topic.GRAPH, together)
        return
    for named in (moved, {"customers": sorted(customers)}):
        for first in range(0, max(map(len, named.values())), GRAPH_IDS):
            part = {name: ids[first : first + GRAPH_IDS] for name, ids in named.items()}
            outbox.add(Topic.GRAPH, part)


def _take_in_slates(messages: list[OutboxMessage]) -> None:
    refresh({id_ for message in messages for id_ in message.payload["slates"]})


def _take_in_graph(messages: list[OutboxMessage]) -> None:
    asked: dict[str, set[Any]] = {}
    for message in messages:
        for name, ids in message.payload.items():
            found = asked.setdefault(name, set())
            found.update(tuple(one) if isinstance(one, list) else one for one in ids)
    project(**asked)


def rebuild_graph(advance: Advance) -> None:
    """The whole graph anew, from PostgreSQL alone; the projector has nothing to do meanwhile.

    Raises:
        CDPError: ``graph_busy`` (retryable) while a projection or another rebuild is running.
    """
    with draining.only_one(PROJECTOR_LOCK) as alone:
        if not alone:
            raise CDPError("graph_busy", "the graph is being written; try again", retryable=True)
        rebuild.rebuild_graph(advance)


def check_graph() -> dict[str, tuple[int, list[str]]]:
    found = rebuild.graph_differences()
    return {name: (diff.total, diff.examples or []) for name, diff in found.items()}


def rebuild_profiles(advance: Advance) -> None:
    """Traits, counters and profiles anew, from the events alone; the graph hears what changed."""
    with transaction.atomic():
        rebuild.clear_observations()
        for ids in rebuild.in_chunks(rebuild.subjects()):
            observe(recount=ids)
            advance("identifiers", len(ids))
        for ids in rebuild.in_chunks(rebuild.profile_customers()):
            _hand_to_graph([], [], fold([], ids), [])
            advance("profiles", len(ids))


def check_profiles() -> dict[str, tuple[int, list[str]]]:
    wrong = differences(rebuild.profile_customers())
    found = {"profiles": (len(wrong), [str(id_) for id_ in wrong[:5]])}
    return found | {name: (n, []) for name, n in rebuild.observation_differences().items()}


def measure_consistency(start: datetime, end: datetime) -> ConsistencyReport:
    """The shop's consistency in a window, against each channel alone; kept as a report."""
    return measure(start, end)
