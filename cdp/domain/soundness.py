"""What JSON may hold and PostgreSQL may not: found before it is stored, with its place."""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_DEPTH = 32


class UnreadableNumber(str):
    """A number of absurd length, kept as the digits it came with."""


@dataclass(frozen=True)
class Unsound:
    """A value that cannot be stored: a stable reason, its path, an explanation."""

    reason: str
    field: str
    detail: str


def storable(text: str) -> bool:
    """False for text with NUL or half a surrogate pair."""
    return _text_fault(text) is None


def unsound(value: object, path: str = "") -> Unsound | None:
    """The first fault in a JSON value; without recursion, so that no depth can break it."""
    stack: list[tuple[object, str, int]] = [(value, path, 1)]
    while stack:
        item, place, depth = stack.pop()
        if depth > MAX_DEPTH:
            return Unsound("too_deep", place[:200], f"nested deeper than {MAX_DEPTH} levels")
        fault: tuple[str, str] | None = None
        if isinstance(item, dict):
            for key, inner in item.items():
                inside = f"{place}.{key}".lstrip(".")
                if fault := _text_fault(key):
                    return Unsound(fault[0], _shown(inside), fault[1])
                stack.append((inner, inside, depth + 1))
        elif isinstance(item, list):
            stack.extend((inner, f"{place}[{n}]", depth + 1) for n, inner in enumerate(item))
        elif isinstance(item, UnreadableNumber):
            fault = ("bad_number", "a number has too many digits")
        elif isinstance(item, str):
            fault = _text_fault(item)
        elif isinstance(item, float) and not math.isfinite(item):
            fault = ("bad_number", "a number must be finite")
        if fault:
            return Unsound(fault[0], _shown(place), fault[1])
    return None


def _text_fault(text: str) -> tuple[str, str] | None:
    if "\0" in text:
        return "nul_character", "text must not contain the NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "bad_unicode", "text must not contain half a surrogate pair"
    return None


def _shown(path: str) -> str:
    return path.encode("unicode_escape").decode()[:200]
