"""What an identifier is: a kind and a normalised value."""

from __future__ import annotations

from dataclasses import dataclass
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
# A person has a handful of identifiers; a customer with more than this is looked at.
SUSPICIOUS = 40


class Key(NamedTuple):
    """One identifier: its kind and its normalised value."""

    kind: str
    value: str


@dataclass(frozen=True)
class Refused:
    """Why a raw value is not an identifier; the event that carried it is kept."""

    kind: str
    raw: str
    reason: str
