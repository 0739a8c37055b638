"""The one page that says what follows what.

ingest ─► outbox ─► resolve ─► observe ─► fold ─► outbox ─► project (graph)
                       └─► outbox ─► match (records of people) ─► observe ─► fold ─► …
                       fold ─► outbox ─► refresh (slates of who acted)
facts ─► render (texts)      served ─► record (exposures)

What works in PostgreSQL is one transaction: claimed messages are deleted with the work they asked
for, so a worker killed anywhere leaves the work to the next one, undone and not half done. What
works in the graph is harmless to repeat, and its messages are deleted after it. What people decide
(``deciding``) and what identity is decided by (``changing``) end in the same steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from cdp import draining, outbox
from cdp.domain.events import Envelope
from cdp.errors import CDPError
from cdp.identity.evaluate import Applied
from cdp.identity.subjects import Rehung
from cdp.models import (
    Artifact,
    ConsistencyReport,
    ImportRun,
    OutboxMessage,
    ReceiptStatus,
    Source,
    Topic,
)
from cdp.stages import match, publish, rebuild
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

Advance = rebuild.Advance
PROJECTOR_LOCK = 7_301_001
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


def after_decision(applied: Applied, rehung: list[Rehung]) -> None:
    """Profiles, graph and slates follow where identities moved, in the open transaction."""
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
    after_decision(done.applied, done.rehung)


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
