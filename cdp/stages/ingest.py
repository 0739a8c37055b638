"""Accept messages durably: events, receipts, quarantine and the follow-up in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import connection, transaction

from cdp import outbox
from cdp.domain.events import BadEvent, Envelope, ParsedEvent, names_of, parse
from cdp.domain.identifiers import Key
from cdp.domain.rules import Rules
from cdp.models import QuarantinedEvent, ReceiptStatus, Source, Suppression, Topic
from cdp.selectors.rules import active_rules

FOLLOW_UP_EVENTS = 500
PLAIN_RULES = Rules(version="plain", blocked=frozenset(), patterns=())


@dataclass(frozen=True)
class Outcome:
    """What became of one message of the request, in the order of the request."""

    message_id: str
    status: ReceiptStatus
    reason: str = ""
    field: str = ""
    detail: str = ""


def ingest(source: Source, messages: Sequence[object], envelope: Envelope) -> list[Outcome]:
    """Store what is valid, quarantine what is not, and say for each message which it was.

    Durable when it returns (called outside a transaction). Deduplicates for ever on
    (source, message id), also inside one request.
    """
    envelope = replace(envelope, rules=active_rules())
    parsed = [parse(message, envelope) for message in messages]
    with transaction.atomic():
        suppressed = _suppressed(parsed, envelope)
        outcomes: dict[int, Outcome] = {}
        fresh: dict[str, ParsedEvent] = {}
        for index, item in enumerate(parsed):
            if isinstance(item, BadEvent):
                outcomes[index] = _refusal(item)
            elif item.message_id in fresh:
                outcomes[index] = Outcome(item.message_id, ReceiptStatus.DUPLICATE)
            elif index in suppressed:
                outcomes[index] = Outcome(item.message_id, ReceiptStatus.SUPPRESSED, "suppressed")
            else:
                fresh[item.message_id] = item
        stored = _insert_events(source, list(fresh.values()), envelope)
        for index, item in enumerate(parsed):
            if index not in outcomes:
                new = item.message_id in stored
                status = ReceiptStatus.ACCEPTED if new else ReceiptStatus.DUPLICATE
                outcomes[index] = Outcome(item.message_id, status)
        ordered = [outcomes[index] for index in range(len(parsed))]
        _insert_receipts(source, ordered, envelope)
        _insert_quarantine(source, parsed, envelope)
        ids = sorted(stored.values())
        for start in range(0, len(ids), FOLLOW_UP_EVENTS):
            outbox.add(Topic.EVENTS, {"events": ids[start : start + FOLLOW_UP_EVENTS]})
    return ordered


def _refusal(bad: BadEvent) -> Outcome:
    return Outcome(bad.message_id, ReceiptStatus.QUARANTINED, bad.reason, bad.field, bad.detail)


def _suppressed(parsed: Sequence[ParsedEvent | BadEvent], envelope: Envelope) -> set[int]:
    """The places of events that name somebody who is not to be recorded.

    Read plainly as well, whatever the rules that hold: they may change what links, never whom the
    shop promised to leave alone.
    """
    if not Suppression.objects.exists():
        return set()
    named: dict[int, set[Key]] = {}
    for index, item in enumerate(parsed):
        if isinstance(item, ParsedEvent):
            plain = names_of(item.payload, envelope.channel, envelope.region, PLAIN_RULES)
            named[index] = {*item.names.keys, *plain.keys}
    values = {key.value for keys in named.values() for key in keys}
    rows = Suppression.objects.filter(value__in=values)
    found = {Key(*row) for row in rows.values_list("kind", "value")}
    return {index for index, keys in named.items() if keys & found}


def _insert_events(source: Source, events: list[ParsedEvent], envelope: Envelope) -> dict[str, int]:
    """Insert the new ones; returns {message id: event id} of those that were new."""
    rows = [
        {
            "message_id": event.message_id, "type": event.type, "name": event.name,
            "verb": event.verb, "occurred_at": event.occurred_at.isoformat(),
            "payload": event.payload, "parsed": _derived(event, envelope),
        }
        for event in events
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO cdp_event (source_id, message_id, channel, type, name, verb,
                                   occurred_at, received_at, payload, parsed)
            SELECT %s, r.message_id, %s, r.type, r.name, r.verb, r.occurred_at, %s, r.payload,
                   r.parsed
            FROM jsonb_to_recordset(%s::jsonb) AS r(message_id text, type text, name text,
                 verb text, occurred_at timestamptz, payload jsonb, parsed jsonb)
            ORDER BY r.message_id
            ON CONFLICT (source_id, message_id) DO NOTHING RETURNING message_id, id
            """,
            [source.pk, envelope.channel, envelope.received_at, json.dumps(rows)],
        )
        return dict(cursor.fetchall())


def _derived(event: ParsedEvent, envelope: Envelope) -> dict[str, object]:
    """What parsing found, kept beside the payload so that the pipeline need not parse again."""
    return {
        **event.names.stored(envelope.rules.version),
        "traits": event.traits,
        "lines": [list(line) for line in event.lines],
    }


def _insert_receipts(source: Source, outcomes: Sequence[Outcome], envelope: Envelope) -> None:
    """One receipt a message; one sent again is counted, and accepted once it is mended."""
    rows: dict[str, dict[str, object]] = {}
    again: dict[str, int] = {}
    for outcome in outcomes:
        if not outcome.message_id:
            continue
        known = rows.get(outcome.message_id)
        if known:
            if outcome.status == ReceiptStatus.ACCEPTED:
                known |= {"status": outcome.status, "reason": ""}
            again[outcome.message_id] = again.get(outcome.message_id, 0) + 1
        else:
            rows[outcome.message_id] = {
                "message_id": outcome.message_id,
                "status": outcome.status,
                "reason": outcome.reason,
            }
    entries = [row | {"again": again.get(key, 0)} for key, row in rows.items()]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO cdp_receipt AS old (source_id, message_id, status, reason, received_at,
                                            duplicates, last_duplicate_at)
            SELECT %s, r.message_id, r.status, r.reason, %s, r.again,
                   CASE WHEN r.again > 0 THEN %s::timestamptz END
            FROM jsonb_to_recordset(%s::jsonb)
                 AS r(message_id text, status text, reason text, again int)
            ORDER BY r.message_id
            ON CONFLICT (source_id, message_id) DO UPDATE SET
                status = CASE WHEN EXCLUDED.status = 'accepted' THEN 'accepted'
                              ELSE old.status END,
                reason = CASE WHEN EXCLUDED.status = 'accepted' THEN '' ELSE old.reason END,
                duplicates = old.duplicates + 1 + EXCLUDED.duplicates,
                last_duplicate_at = EXCLUDED.received_at
            """,
            [source.pk, envelope.received_at, envelope.received_at, json.dumps(entries)],
        )


def _insert_quarantine(
    source: Source, parsed: Sequence[ParsedEvent | BadEvent], envelope: Envelope
) -> None:
    """Keep every refused message as it came; the very same one again is kept once."""
    QuarantinedEvent.objects.bulk_create(
        [
            QuarantinedEvent(
                source=source, message_id=bad.message_id, reason=bad.reason, field=bad.field,
                detail=bad.detail, content_hash=hashlib.sha256(bad.raw.encode()).hexdigest(),
                raw=bad.raw, received_at=envelope.received_at,
            )
            for bad in parsed
            if isinstance(bad, BadEvent)
        ],
        ignore_conflicts=True,
    )  # fmt: skip
