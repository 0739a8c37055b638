"""Resolve a batch of events: evidence, customers, and the identifier each event hangs on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import connection

from cdp.domain.events import names_of
from cdp.domain.identifiers import Key
from cdp.domain.rules import Rules
from cdp.identity import arrays
from cdp.identity.evaluate import evaluate
from cdp.identity.evidence import (
    Seen,
    known_pairs,
    pairs_of,
    touch_identifiers,
    upsert_identifiers,
    write_links,
)
from cdp.identity.ledger import Cause
from cdp.identity.locks import hold_rules, lock_components, lock_identifiers
from cdp.identity.logins import Stretch, mark, on_switched
from cdp.identity.records import write_records
from cdp.identity.subjects import Rehung, attach, rehang, rehang_naming, rehang_stretches
from cdp.models import Event
from cdp.selectors.rules import active_rules


@dataclass
class Resolution:
    """What a batch changed: for the stages that follow."""

    events: list[int] = field(default_factory=list)
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
    hold_rules()
    rules = active_rules()
    seen = _read(event_ids, rules)
    if not seen:
        return Resolution()
    ids = upsert_identifiers(seen)
    held = lock_identifiers(ids.values())
    pairs = pairs_of(seen, ids)
    new = set(pairs) - known_pairs(pairs)
    older = touch_identifiers(seen, ids)
    touched = {id_ for pair in new for id_ in pair} | older | held.unresolved
    resolution = Resolution(events=[item.event for item in seen])
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
    on_devices = attach(seen, ids, held.shared, rules)
    stretches = mark(seen, ids)
    _switch(stretches, on_devices, resolution, rules)
    if resolution.rehung:
        resolution.recount = {
            id_ for _, old, new in resolution.rehung for id_ in (old, new) if id_ is not None
        }
        # Counted anew from their events: nobody may add to them meanwhile.
        lock_identifiers(resolution.recount)
    return resolution


def _switch(
    stretches: list[Stretch], on_devices: list[int], resolution: Resolution, rules: Rules
) -> None:
    """Logins and logouts of the batch: who holds a device that several people log in on."""
    new = set(resolution.events)
    if on_devices:  # not counted yet: they simply hang where they belong
        rehang(on_switched(on_devices), rules)
    later = rehang_stretches(stretches, rules)
    resolution.rehung += [one for one in later if one.event not in new]


def _read(event_ids: list[int], rules: Rules) -> list[Seen]:
    """The identifiers of each event; read again where other rules held when it was accepted."""
    found = _unresolved(event_ids)
    stale = [id_ for id_, _, _, version, _ in found if version != rules.version]
    if stale:
        _read_again(stale, rules)
        found = _unresolved(event_ids)
    return [
        Seen(id_, tuple(sorted({Key(kind, value) for kind, value in json.loads(keys)})), at, name)
        for id_, at, name, _, keys in found
    ]


def _unresolved(event_ids: list[int]) -> list[tuple[int, datetime, str, str | None, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, occurred_at, name, parsed->>'rules', (parsed->'keys')::text FROM cdp_event
            WHERE id = ANY (%s::bigint[]) AND resolved_at IS NULL ORDER BY id
            """,
            [arrays.ints(event_ids)],
        )
        rows: list[tuple[int, datetime, str, str | None, str]] = cursor.fetchall()
        return rows


def _read_again(event_ids: list[int], rules: Rules) -> None:
    rows = list(Event.objects.filter(id__in=event_ids).only("channel", "payload", "parsed"))
    for row in rows:
        names = names_of(row.payload, row.channel, settings.DEFAULT_PHONE_REGION, rules)
        row.parsed |= names.stored(rules.version)
    Event.objects.bulk_update(rows, ["parsed"], batch_size=500)
