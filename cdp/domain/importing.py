"""Rows of a file as messages of the tracking contract, by a column map."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cdp.errors import CDPError

# Where a mapped column goes, by the name on the right of ``--map column=target``.
PLAIN = {
    "messageId", "type", "event", "userId", "anonymousId", "groupId", "previousId", "name",
    "timestamp",
}  # fmt: skip
PREFIXES = ("properties.", "traits.", "context.", "id.")


def parse_map(pairs: list[str]) -> dict[str, str]:
    """``["member=id.loyalty_card", …]`` as a mapping from column to target.

    Raises:
        CDPError: ``bad_column_map`` naming the pair.
    """
    mapping: dict[str, str] = {}
    for pair in pairs:
        column, separator, target = pair.partition("=")
        known = target in PLAIN or target.startswith(PREFIXES) or target in ("ids", "traits")
        if not (column and separator and known):
            raise CDPError(
                "bad_column_map",
                f"{pair!r} is not column=target; a target is one of {', '.join(sorted(PLAIN))}, "
                "ids, traits, or begins with properties., traits., context. or id.",
                field="--map",
            )
        mapping[column] = target
    return mapping


def message(
    row: Mapping[str, Any], mapping: Mapping[str, str], constants: Mapping[str, str]
) -> object:
    """One row as a message. Without a map the row is a message already.

    ``ids`` takes a JSON object of kind to value(s); ``id.<kind>`` one value; both become
    ``context.externalIds``. ``traits`` takes a JSON object of trait to value.
    """
    if not mapping:
        return _plain(dict(row))
    out: dict[str, Any] = {}
    external: list[dict[str, str]] = []
    for column, target in mapping.items():
        value = _plain(row.get(column))
        if value is None or value == "":
            continue
        if target == "ids":
            external += _ids(value, column)
        elif target == "traits":
            out["traits"] = {**_object(value, column, "traits"), **out.get("traits", {})}
        elif target.startswith("id."):
            external.append(_external(target.removeprefix("id."), value))
        elif target == "timestamp":
            out["timestamp"] = _instant(value)
        else:
            _put(out, target, value)
    for target, constant in constants.items():
        _put(out, target, constant)
    if external:
        out.setdefault("context", {})["externalIds"] = external
    return out


def _ids(value: object, column: str) -> list[dict[str, str]]:
    kinds = _object(value, column, "identifiers")
    return [
        _external(kind, one)
        for kind, values in kinds.items()
        for one in (values if isinstance(values, list) else [values])
        if one is not None
    ]


def _object(value: object, column: str, what: str) -> dict[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CDPError("bad_row", f"{column} must hold a JSON object of {what}", field=column)
    return found


def _external(kind: str, value: object) -> dict[str, str]:
    return {"id": str(value), "type": kind, "collection": "users", "encoding": "none"}


def _put(out: dict[str, Any], target: str, value: object) -> None:
    *path, last = target.split(".")
    place = out
    for part in path:
        place = place.setdefault(part, {})
    place[last] = value


def _instant(value: object) -> object:
    """Unix seconds (or milliseconds, from the year 2286 in seconds on) as ISO 8601; text as it is."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if value > 10_000_000_000 else value
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    return value


def _plain(value: Any) -> Any:
    """Values that JSON knows: dates as ISO 8601, other scalars of a data frame as numbers."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if value.__class__.__module__ == "decimal":
        return float(value)
    return value
