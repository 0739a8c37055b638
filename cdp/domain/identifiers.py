"""What an identifier is: a kind and a normalised value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# The kinds that the tracking contract can carry, strongest first.
KINDS = (
    "user_id",
    "crm_id",
    "loyalty_card",
    "email",
    "phone",
    "social_handle",
    "device_id",
    "cookie",
)


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
