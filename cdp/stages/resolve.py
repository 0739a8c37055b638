"""Resolve a batch of events: evidence, customers, and the identifier each event hangs on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings

from cdp.domain.events import names_of
from cdp.domain.identifiers import Key
from cdp.domain.rules import Rules
from cdp.identity import arrays
from cdp.identity.evaluate import evaluate
from cdp.identity.evidence import (
    Seen,
    hold_identifiers,
    known_pairs,
    pairs_of,
    upsert_identifiers,
    write_links,
)
from cdp.identity.ledger import Cause
from cdp.identity.locks import hold_rules, lock_components, lock_identifiers
from cdp.identity.logins import mark
from cdp.identity.records import write_records
from cdp.identity.subjects import Rehung, attach, rehang, rehang_naming, rehang_stretches
from cdp.models import Event
from cdp.statements import execute


@dataclass
class Resolution:
    """What a batch changed, for the stages that follow. ``acts`` and ``words``: new events that do
    something to products, and that say something about a person."""

    acts: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    flipped: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    customers: set[int] = field(default_factory=set)
    rehung: list[Rehung] = field(default_factory=list)
    records: set[int] = field(default_factory=set)
    recount: set[int] = field(default_factory=set)


def resolve(event_ids: list[int]) -> Resolution:
    """Give events their identifiers, customers and subject; events already resolved are left out.

    Runs in the caller's transaction, which it leaves holding the locks of what it changed.
    """
    rules = hold_rules()
    seen = _read(event_ids, rules)
    if not seen:
        return Resolution()
    ids = upsert_identifiers(seen)
    held = hold_identifiers(seen, ids)
    pairs = pairs_of(seen, ids)
    new = set(pairs) - known_pairs(pairs)
    touched = {id_ for pair in new for id_ in pair} | held.older | held.unresolved
    resolution = Resolution(
        acts=[item.event for item in seen if item.acts],
        words=[item.event for item in seen if item.words],
    )
    resolution.records = write_records(seen, ids, held.unresolved)
    components = lock_components(touched) if touched else set()
    if pairs:
        named = {id_: key for key, id_ in ids.items()}
        write_links(pairs, {id_: named[id_] for id_ in held.shared}, rules)
    if components:
        cause = Cause(events={pair: pairs[pair][0].event for pair in new})
        applied = evaluate(components, rules, cause)
        resolution.moved, resolution.customers = applied.moved, applied.customers
        resolution.flipped = applied.flipped
        held.shared.symmetric_difference_update(applied.flipped & set(ids.values()))
        if applied.flipped:
            resolution.rehung = rehang_naming(applied.flipped, rules)
    stretches = mark(seen, ids)
    switched = attach(seen, ids, held.shared, rules)
    rehang(switched, rules)  # not counted yet: they simply hang where they belong
    new_events = {item.event for item in seen}
    later = rehang_stretches(stretches, rules)
    resolution.rehung += [one for one in later if one.event not in new_events]
    if resolution.rehung:
        resolution.recount = {
            id_ for _, old, new in resolution.rehung for id_ in (old, new) if id_ is not None
        }
        # Counted anew from their events: nobody may add to them meanwhile.
        lock_identifiers(resolution.recount)
    return resolution


def _read(event_ids: list[int], rules: Rules) -> list[Seen]:
    """The identifiers of each event; read again where other rules held when it was accepted."""
    found = _unresolved(event_ids)
    stale = [event for event, version, *_ in found if version != rules.version]
    if stale:
        _read_again(stale, rules)
        found = _unresolved(event_ids)
    return [
        Seen(event, tuple(sorted({Key(*key) for key in json.loads(keys)})), at, name, acts, words)
        for event, _, keys, at, name, acts, words in found
    ]


def _unresolved(event_ids: list[int]) -> list[tuple[int, str, str, datetime, str, bool, bool]]:
    return execute(
        """
        SELECT id, parsed->>'rules', (parsed->'keys')::text, occurred_at, name, verb <> '',
               parsed->'traits' <> '{}'::jsonb
        FROM cdp_event WHERE id = ANY (%s::bigint[]) AND resolved_at IS NULL ORDER BY id
        """,
        [arrays.ints(event_ids)],
    )


def _read_again(event_ids: list[int], rules: Rules) -> None:
    rows = list(Event.objects.filter(id__in=event_ids).only("channel", "payload", "parsed"))
    for row in rows:
        names = names_of(row.payload, row.channel, settings.DEFAULT_PHONE_REGION, rules)
        row.parsed |= names.stored(rules.version)
    Event.objects.bulk_update(rows, ["parsed"], batch_size=500)
