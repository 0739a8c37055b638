"""Identity rules as a document (the YAML file, the admin's text), read strictly and written back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import re2
import yaml

from cdp.domain.identifiers import KINDS, RECORD
from cdp.domain.rules import NORMALISER_NAMES, Kind, Rules, compiled
from cdp.domain.soundness import storable
from cdp.errors import CDPError

FIELDS = (
    "priority", "strong", "normaliser", "max_per_customer", "max_neighbours", "expires_after_days",
    "blocked", "patterns", "shop_owned",
)  # fmt: skip
MAX_PATTERN = 200
MAX_BYTES = 200_000


def read(text: str) -> dict[str, Any]:
    """The document in a YAML text, checked.

    Raises:
        CDPError: ``bad_rules`` naming the field and the reason.
    """
    if len(text) > MAX_BYTES:
        raise _bad("", f"more than {MAX_BYTES} characters")
    try:
        document = yaml.load(text, Loader=_PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _bad("", f"not YAML: {' '.join(str(error).split())[:200]}") from error
    to_document(to_rules(document))
    return document  # type: ignore[no-any-return]  # to_rules refuses all but a mapping


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases: a few hundred bytes of them unfold to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)


def write(rules: Rules) -> str:
    """The YAML text of a rule set; reading it gives an equal rule set."""
    text: str = yaml.safe_dump(to_document(rules), sort_keys=False, allow_unicode=True)
    return text


def to_document(rules: Rules) -> dict[str, Any]:
    ordered = sorted(rules.kinds.items(), key=lambda item: item[1].priority)
    return {
        "kinds": {name: _written(kind) for name, kind in ordered},
        "blocked": sorted(rules.blocked),
        "patterns": list(rules.patterns),
    }


def _written(kind: Kind) -> dict[str, Any]:
    plain = Kind(0)
    found: dict[str, Any] = {}
    for name in FIELDS:
        value = getattr(kind, name)
        if name in ("priority", "strong", "normaliser") or value != getattr(plain, name):
            found[name] = sorted(value) if isinstance(value, frozenset) else _listed(value)
    return found


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def to_rules(document: object, version: str = "file") -> Rules:
    """The rule set of a document.

    Raises:
        CDPError: ``bad_rules`` naming the field and the reason.
    """
    top = _mapping(document, "")
    _only(top, ("kinds", "blocked", "patterns"), "")
    kinds = _mapping(top.get("kinds"), "kinds")
    for name in kinds:
        if name not in KINDS:
            raise _bad(f"kinds.{name}", f"unknown kind; known are {', '.join(KINDS)}")
    # Rules written before there were records say nothing of them.
    if missing := [name for name in KINDS if name not in kinds and name != RECORD]:
        raise _bad(f"kinds.{missing[0]}", "is missing")
    read_kinds = {name: _kind(kinds[name], f"kinds.{name}") for name in kinds}
    if RECORD not in read_kinds:
        read_kinds[RECORD] = Kind(1 + max(kind.priority for kind in read_kinds.values()))
    taken: dict[int, str] = {}
    for name, kind in read_kinds.items():
        if kind.priority in taken:
            other = taken[kind.priority]
            raise _bad(f"kinds.{name}.priority", f"{kind.priority} is that of {other}")
        taken[kind.priority] = name
    return Rules(
        version=version,
        kinds=read_kinds,
        blocked=_folded(top.get("blocked"), "blocked"),
        patterns=_patterns(top.get("patterns"), "patterns"),
    )


def _kind(value: object, path: str) -> Kind:
    found = _mapping(value, path)
    _only(found, FIELDS, f"{path}.")
    normaliser = found.get("normaliser", "text")
    if normaliser not in NORMALISER_NAMES:
        raise _bad(f"{path}.normaliser", f"must be one of {', '.join(NORMALISER_NAMES)}")
    strong = found.get("strong", False)
    if not isinstance(strong, bool):
        raise _bad(f"{path}.strong", "must be true or false")
    priority = _number(found.get("priority"), f"{path}.priority")
    if priority is None:
        raise _bad(f"{path}.priority", "is missing")
    return Kind(
        priority=priority,
        strong=strong,
        normaliser=normaliser,
        blocked=_folded(found.get("blocked"), f"{path}.blocked"),
        patterns=_patterns(found.get("patterns"), f"{path}.patterns"),
        shop_owned=_patterns(found.get("shop_owned"), f"{path}.shop_owned"),
        max_per_customer=_number(found.get("max_per_customer"), f"{path}.max_per_customer"),
        max_neighbours=_number(found.get("max_neighbours"), f"{path}.max_neighbours"),
        expires_after_days=_number(found.get("expires_after_days"), f"{path}.expires_after_days"),
    )


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _bad(path, "must be a mapping with text keys")
    return value


def _only(found: Mapping[str, Any], names: tuple[str, ...], prefix: str) -> None:
    for name in found:
        if name not in names:
            raise _bad(f"{prefix}{name}", f"unknown field; known are {', '.join(names)}")


def _number(value: object, path: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
        raise _bad(path, "must be a whole number from 1 to 100000")
    return value


def _texts(value: object, path: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _bad(path, "must be a list of texts (quote numbers, yes and no)")
    if unsound := [number for number, text in enumerate(value) if not storable(text)]:
        raise _bad(f"{path}[{unsound[0]}]", "holds a character that cannot be stored")
    return value


def _folded(value: object, path: str) -> frozenset[str]:
    return frozenset(text.casefold() for text in _texts(value, path))


def _patterns(value: object, path: str) -> tuple[str, ...]:
    found = _texts(value, path)
    for number, pattern in enumerate(found):
        if len(pattern) > MAX_PATTERN:
            raise _bad(f"{path}[{number}]", f"longer than {MAX_PATTERN} characters")
        try:
            compiled(pattern)
        except re2.error as error:
            raise _bad(f"{path}[{number}]", f"not a regular expression: {error}") from error
    return tuple(found)


def _bad(field: str, reason: str) -> CDPError:
    return CDPError("bad_rules", f"{field or 'the rules'}: {reason}", field=field or "rules")
