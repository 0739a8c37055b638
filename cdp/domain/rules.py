"""The identity rules: what names a person, what may join customers, and how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import re2

from cdp.domain.identifiers import RECORD, Key

NORMALISER_NAMES = ("text", "casefold", "email", "phone")


@dataclass(frozen=True)
class Kind:
    """The rules of one kind of identifier.

    ``priority``: 1 speaks loudest for a person. ``strong``: names a person, so that many of them
    beside one identifier make that one *shared*. ``max_per_customer``: how many one customer may
    hold. ``max_neighbours``: seen with more distinct identifiers of one strong kind than this, it
    is shared (a kiosk, a till's e-mail, a landline) and joins nobody. ``expires_after_days``: a
    link not seen for so long no longer joins. ``blocked`` values and ``patterns`` name nobody.
    ``shop_owned``: patterns of identifiers that carry events but never join (kiosks, tills).
    Patterns (RE2) match the whole value, without regard to case.
    """

    priority: int
    strong: bool = False
    normaliser: str = "text"
    max_per_customer: int | None = None
    max_neighbours: int | None = None
    expires_after_days: int | None = None
    blocked: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    shop_owned: tuple[str, ...] = ()


PLACEHOLDERS = frozenset(
    {
        "null", "none", "nil", "na", "n/a", "nan", "undefined", "unknown", "anonymous", "guest",
        "test", "tester", "testing", "noemail", "no-email", "no email", "nomail", "email",
        "invalid", "id", "user_id", "userid", "distinct_id", "anonymousid", "true", "false",
        "[object object]", "customer", "user", "noreply", "no-reply", "not available", "xxx",
    }
)  # fmt: skip
# Zeros and punctuation; minus one.
NOBODY = (r"[0\s\pP\pS]*", "-1")
REPEATED = 4


def _kinds() -> dict[str, Kind]:
    return {
        "user_id": Kind(1, strong=True, max_per_customer=1),
        "crm_id": Kind(2, strong=True, max_per_customer=1),
        "loyalty_card": Kind(3, strong=True, max_neighbours=2),
        "email": Kind(4, normaliser="email", max_neighbours=2),
        "phone": Kind(5, normaliser="phone", max_neighbours=3),
        "social_handle": Kind(6, normaliser="casefold", max_neighbours=2),
        "device_id": Kind(7, max_neighbours=3),
        "cookie": Kind(8, max_neighbours=3),
        RECORD: Kind(9),
    }


@dataclass(frozen=True)
class Rules:
    """One rule set; ``blocked`` and ``patterns`` hold for every kind.

    ``as_of`` is the moment by which links expire: it moves only when a sweep moves it, so that the
    partition stays a function of what is stored.
    """

    version: str = "built-in"
    kinds: Mapping[str, Kind] = field(default_factory=_kinds)
    blocked: frozenset[str] = PLACEHOLDERS
    patterns: tuple[str, ...] = NOBODY
    as_of: datetime | None = None

    @cached_property
    def rank(self) -> dict[str, int]:
        return {name: kind.priority for name, kind in self.kinds.items()}

    @cached_property
    def strong(self) -> frozenset[str]:
        return frozenset(name for name, kind in self.kinds.items() if kind.strong)

    @cached_property
    def max_per_customer(self) -> dict[str, int]:
        return {n: k.max_per_customer for n, k in self.kinds.items() if k.max_per_customer}

    @cached_property
    def max_neighbours(self) -> dict[str, int]:
        return {n: k.max_neighbours for n, k in self.kinds.items() if k.max_neighbours}

    @cached_property
    def _blocking(self) -> dict[str, _Patterns]:
        return {n: _Patterns(self.patterns + kind.patterns) for n, kind in self.kinds.items()}

    @cached_property
    def _owning(self) -> dict[str, _Patterns]:
        return {name: _Patterns(kind.shop_owned) for name, kind in self.kinds.items()}

    def blocks(self, kind: str, value: str) -> bool:
        """Does this value name nobody?"""
        folded = value.casefold().strip("\"'")
        if len(folded) >= REPEATED and len(set(folded)) == 1:
            return True  # one character over and over names nobody, under any rules
        if folded in self.blocked or folded in self.kinds[kind].blocked:
            return True
        return self._blocking[kind].match(folded)

    def shop_owned(self, key: Key) -> bool:
        """Is this a kiosk or a till: events hang on it, but it joins nobody?"""
        return self._owning[key.kind].match(key.value)

    def expires(self, a: str, b: str) -> timedelta | None:
        """How long a link between two kinds lives after it was last seen; None: for ever."""
        days = [d for k in (a, b) if (d := self.kinds[k].expires_after_days) is not None]
        return timedelta(days=min(days)) if days else None

    def live(self, a: str, b: str, last_at: datetime | None) -> bool:
        """Does a link between two kinds, last seen at this moment, still count?"""
        if self.as_of is None or last_at is None:
            return True
        lifetime = self.expires(a, b)
        return lifetime is None or last_at >= self.as_of - lifetime

    def reads_like(self, other: Rules) -> bool:
        """Do both find the same identifiers in every event (only joining may differ)?"""
        return self._reading() == other._reading()

    def _reading(self) -> object:
        kinds = {n: (k.normaliser, k.blocked, k.patterns) for n, k in self.kinds.items()}
        return kinds, self.blocked, self.patterns


def compiled(pattern: str) -> Any:
    """A pattern that takes linear time on any value (RE2): rules are matched with what strangers send.

    Raises:
        re2.error: it is not a regular expression of RE2's (which has no back-references).
    """
    options = re2.Options()
    options.case_sensitive, options.log_errors = False, False
    return re2.compile(pattern, options)


class _Patterns:
    """Any of several regular expressions."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._compiled = [compiled(pattern) for pattern in patterns]

    def match(self, value: str) -> bool:
        return any(pattern.fullmatch(value) for pattern in self._compiled)


DEFAULT_RULES = Rules()
