"""Turn one raw message of the tracking contract into an event, or into the reason it is refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cdp.domain.commerce import Line, lines_of, verb_of
from cdp.domain.identifiers import RECORD, Key, Refused
from cdp.domain.normalisers import normalise
from cdp.domain.records import Record, record_of
from cdp.domain.rules import DEFAULT_RULES, Rules
from cdp.domain.soundness import unsound

TYPES = ("identify", "track", "page", "screen", "group", "alias")
MAX_MESSAGE_ID = 100
MAX_EVENT_BYTES = 32 * 1024
MAX_TRAIT_KEY = 100
EXTERNAL_KINDS = {
    "user_id": "user_id", "crm_id": "crm_id", "loyalty_card": "loyalty_card", "loyalty": "loyalty_card",
    "email": "email", "phone": "phone", "social_handle": "social_handle", "social": "social_handle",
    "device_id": "device_id", "device": "device_id", "ios.idfa": "device_id",
    "android.idfa": "device_id", "cookie": "cookie", "anonymous_id": "cookie",
}  # fmt: skip


@dataclass(frozen=True)
class Envelope:
    """What every message of one request shares."""

    channel: str
    received_at: datetime
    sent_at: datetime | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    integrations: Mapping[str, Any] = field(default_factory=dict)
    region: str = "US"
    rules: Rules = DEFAULT_RULES
    max_bytes: int = MAX_EVENT_BYTES

    @cached_property
    def shared_bytes(self) -> int:
        """What the request's context and integrations add to every event of it."""
        shared = {**self.context, **self.integrations}
        return json_size(shared) if shared else 0


def json_size(value: object) -> int:
    """Bytes of a sound JSON value, written compactly in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


@dataclass(frozen=True)
class Names:
    """By what a message names a person: identifiers, those refused, and the record in its traits
    (whose own identifier is among ``keys``)."""

    keys: tuple[Key, ...]
    refused: tuple[Refused, ...]
    record: Record | None

    def stored(self, rules_version: str) -> dict[str, object]:
        """What is kept of it beside the event, and under which rules it was read."""
        return {
            "rules": rules_version,
            "keys": [list(key) for key in self.keys],
            "refused": [[item.kind, item.raw[:100], item.reason] for item in self.refused],
            **({"record": self.record.fields} if self.record else {}),
        }


@dataclass(frozen=True)
class ParsedEvent:
    message_id: str
    type: str
    name: str
    verb: str
    occurred_at: datetime
    payload: dict[str, Any]
    names: Names
    traits: dict[str, Any]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class BadEvent:
    """A message that cannot be accepted: a stable reason, the field at fault, an explanation."""

    message_id: str
    reason: str
    field: str
    detail: str
    raw: str


class _Bad(Exception):
    def __init__(self, reason: str, field: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.field, self.detail = reason, field, detail


def parse(raw: object, envelope: Envelope) -> ParsedEvent | BadEvent:
    """Validate and normalise one message; never raises on any JSON value."""
    message_id = ""
    try:
        if not isinstance(raw, dict):
            raise _Bad("not_an_object", "", "an event must be a JSON object")
        message_id = _sound_id(raw)
        if fault := unsound(raw):
            raise _Bad(fault.reason, fault.field, fault.detail)
        message_id = _message_id(raw)
        return _parse(raw, message_id, envelope)
    except _Bad as bad:
        return BadEvent(message_id, bad.reason, bad.field, bad.detail, _raw_text(raw))


def _parse(raw: dict[str, Any], message_id: str, envelope: Envelope) -> ParsedEvent:
    size = json_size(raw) + envelope.shared_bytes
    if size > envelope.max_bytes:
        raise _Bad("too_large", "", f"{size} bytes; at most {envelope.max_bytes} are taken")
    kind = raw.get("type")
    if kind not in TYPES:
        raise _Bad("unknown_type", "type", f"type must be one of {', '.join(TYPES)}")
    context = {**envelope.context, **_mapping(raw, "context")}
    payload = {**raw, "context": context}
    if envelope.integrations:
        payload["integrations"] = {**envelope.integrations, **_mapping(raw, "integrations")}
    name = _text(raw, "event") if kind == "track" else (_text(raw, "name") or "")
    if kind == "track" and not name:
        raise _Bad("missing_event", "event", "a track message needs the name of its event")
    traits = {**_mapping(context, "traits", "context."), **_mapping(raw, "traits")}
    if long := next((key for key in traits if len(key) > MAX_TRAIT_KEY), None):
        raise _Bad(
            "trait_key_too_long", f"traits.{long[:50]}…", f"more than {MAX_TRAIT_KEY} characters"
        )
    names = names_of(payload, envelope.channel, envelope.region, envelope.rules)
    _require_ids(raw, context, str(kind), names)
    properties = _mapping(raw, "properties")
    verb = verb_of(str(kind), name or "")
    return ParsedEvent(
        message_id=message_id,
        type=str(kind),
        name=(name or "")[:200],
        verb=verb,
        occurred_at=occurred_at(raw, envelope),
        payload=payload,
        names=names,
        traits={**_consents(context), **(traits if kind == "identify" else {})},
        lines=tuple(lines_of(properties)) if verb else (),
    )


def occurred_at(raw: Mapping[str, Any], envelope: Envelope) -> datetime:
    """The event's time corrected for the sender's clock: received − (sent − original)."""
    original = None
    for name in ("originalTimestamp", "timestamp"):
        if raw.get(name) is not None:
            original = parse_instant(raw[name], name)
            break
    sent = envelope.sent_at
    if raw.get("sentAt") is not None:
        sent = parse_instant(raw["sentAt"], "sentAt")
    if original is None:
        return envelope.received_at
    if sent is None:
        return min(original, envelope.received_at)
    return envelope.received_at - max(sent - original, timedelta(0))


def parse_instant(value: object, name: str) -> datetime:
    """An ISO 8601 instant (UTC where it names no zone) between the years 1970 and 2200."""
    try:
        if not isinstance(value, str):
            raise ValueError
        instant = datetime.fromisoformat(value)
        instant = instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Bad("bad_timestamp", name, f"{value!r:.60} is not an ISO 8601 instant") from None
    if not 1970 <= instant.year < 2200:
        raise _Bad("bad_timestamp", name, f"the year {instant.year} is out of range")
    return instant


def parse_sent_at(value: object) -> datetime | None:
    """A request's own ``sentAt``; one that cannot be read only loses the clock correction."""
    try:
        return None if value is None else parse_instant(value, "sentAt")
    except _Bad:
        return None


def _sound_id(raw: Mapping[str, Any]) -> str:
    """The message's id where it can be stored, so that a refusal can be found by it."""
    value = raw.get("messageId")
    sound = isinstance(value, str) and len(value) <= MAX_MESSAGE_ID and value.isprintable()
    return str(value) if sound else ""


def _message_id(raw: Mapping[str, Any]) -> str:
    value = raw.get("messageId")
    if value is None or value == "":
        return f"unison-{uuid.uuid4()}"
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _Bad("bad_message_id", "messageId", "messageId must be text")
    if len(str(value)) > MAX_MESSAGE_ID:
        raise _Bad("bad_message_id", "messageId", f"longer than {MAX_MESSAGE_ID} characters")
    return str(value)


def _mapping(raw: Mapping[str, Any], name: str, prefix: str = "") -> dict[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Bad("not_an_object", prefix + name, f"{prefix}{name} must be a JSON object")
    return value


def _text(raw: Mapping[str, Any], name: str) -> str | None:
    value = raw.get(name)
    if value is None:
        return None
    text = _id_text(value)
    if text is None:
        raise _Bad("not_text", name, f"{name} must be text")
    return text


def _id_text(value: object) -> str | None:
    """Text, or a whole number as text (languages with only floats send 7 as 7.0)."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    return None


def _externals(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``context.externalIds`` of people (not of accounts)."""
    listed = context.get("externalIds")
    return [
        item
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict) and item.get("collection", "users") == "users" and item.get("id")
    ]


def _require_ids(
    raw: Mapping[str, Any], context: Mapping[str, Any], kind: str, found: Names
) -> None:
    if kind == "alias" and not (_text(raw, "previousId") and _text(raw, "userId")):
        raise _Bad("missing_id", "previousId", "an alias needs previousId and userId")
    names = ["userId", "anonymousId", "groupId"] if kind == "group" else ["userId", "anonymousId"]
    if kind == "alias" or any(_text(raw, name) for name in names):
        return
    if not _externals(context) and not found.record:
        raise _Bad(
            "missing_id", "userId",
            "userId, anonymousId, context.externalIds, or traits with a name and a birth date, "
            "street or national id are required",
        )  # fmt: skip


def names_of(payload: Mapping[str, Any], channel: str, region: str, rules: Rules) -> Names:
    """By what an event names a person, under these rules."""
    context = _mapping(payload, "context")
    traits = _mapping(context, "traits", "context.")
    if payload.get("type") != "group":  # whose own traits are the organisation's
        traits = {**traits, **_mapping(payload, "traits")}
    properties = _mapping(payload, "properties")
    found = _named(payload, context, traits, properties, channel)
    keys, refused = _keys(found, region, rules)
    record = record_of(traits, found)
    if record is not None:
        keys |= {Key(RECORD, record.value)}
    return Names(tuple(sorted(keys)), tuple(refused), record)


def _named(
    raw: Mapping[str, Any],
    context: Mapping[str, Any],
    traits: Mapping[str, Any],
    properties: Mapping[str, Any],
    channel: str,
) -> list[tuple[str, object]]:
    """Every (kind, raw value) that the message names a person by."""
    anonymous = "device_id" if channel == "app" else "cookie"
    found: list[tuple[str, object]] = [
        ("user_id", raw.get("userId")),
        (anonymous, raw.get("anonymousId")),
        (anonymous, raw.get("previousId")),
        ("device_id", _mapping(context, "device", "context.").get("id")),
    ]
    for place in (traits, properties):
        found += [("email", place.get("email")), ("phone", place.get("phone"))]
        found += [("loyalty_card", place.get("loyalty_card")), ("crm_id", place.get("crm_id"))]
    for item in _externals(context):
        kind = EXTERNAL_KINDS.get(str(item.get("type")), str(item.get("type")))
        found.append((kind, item["id"]))
    return found


def _keys(
    found: list[tuple[str, object]], region: str, rules: Rules
) -> tuple[set[Key], list[Refused]]:
    keys: set[Key] = set()
    refused: list[Refused] = []
    for kind, value in found:
        if value is not None and value != "":
            text = _id_text(value)
            if text is None:
                result: Key | Refused = Refused(kind, repr(value)[:100], "not_text")
            elif kind == RECORD:
                result = Refused(kind, text[:100], "unknown_kind")
            else:
                result = normalise(kind, text, region, rules)
            if isinstance(result, Refused):
                refused.append(result)
            else:
                keys.add(result)
    return keys, refused


def _consents(context: Mapping[str, Any]) -> dict[str, Any]:
    """``context.consent.categoryPreferences`` as traits ``consent.<category>``."""
    consent = context.get("consent")
    preferences = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    if not isinstance(preferences, dict):
        return {}
    return {
        f"consent.{key}": value
        for key, value in preferences.items()
        if isinstance(value, bool) and len(key) <= MAX_TRAIT_KEY - len("consent.")
    }


def _raw_text(raw: object) -> str:
    """The message as JSON text; anything PostgreSQL cannot store is escaped by JSON itself."""
    try:
        return json.dumps(raw)
    except (ValueError, RecursionError):
        return repr(type(raw))
