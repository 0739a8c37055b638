"""What an identifier is: a kind and a normalised value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

# A record of a person (name, birth date, address) stands for itself as the weakest kind: messages
# cannot name one, it is found in their traits (see ``domain.records``).
RECORD = "record"
# The others are those that the tracking contract can carry; strongest first.
KINDS = (
    "user_id",
    "crm_id",
    "loyalty_card",
    "email",
    "phone",
    "social_handle",
    "device_id",
    "cookie",
    RECORD,
)
DEVICES = ("device_id", "cookie")
# A person has a handful of identifiers; a customer with more than this is looked at.
SUSPICIOUS = 40


class Key(NamedTuple):
    """One identifier: its kind and its normalised value."""

    kind: str
    value: str


def linked_pairs(keys: Iterable[Key]) -> list[tuple[Key, Key]]:
    """Which identifiers of one event say that they are one person's: every two, but a device says
    nothing of the people who are written down on it (a till, a desk's browser)."""
    return [pair for pair in combinations(sorted(keys), 2) if says_one(pair[0].kind, pair[1].kind)]


def says_one(a: str, b: str) -> bool:
    """Does seeing these two kinds together say anything?"""
    return RECORD not in (a, b) or not {a, b} & set(DEVICES)


@dataclass(frozen=True)
class Refused:
    """Why a raw value is not an identifier; the event that carried it is kept."""

    kind: str
    raw: str
    reason: str
