"""The identity rules: what may join customers, and how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdp.domain.identifiers import RANK


def _max_per_customer() -> dict[str, int]:
    return {"user_id": 1, "crm_id": 1}


def _max_neighbours() -> dict[str, int]:
    return {
        "loyalty_card": 2, "email": 2, "phone": 3, "social_handle": 2, "device_id": 3, "cookie": 3,
    }  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """A versioned rule set; ``rank`` orders kinds, strongest (0) first.

    ``max_per_customer``: how many identifiers of a kind one customer may hold.
    ``max_neighbours``: an identifier seen with more than this many distinct identifiers of one
    strong kind is *shared* (a kiosk, a till's e-mail, a landline) and stops joining customers.
    """

    version: str = "1"
    rank: Mapping[str, int] = field(default_factory=lambda: RANK)
    max_per_customer: Mapping[str, int] = field(default_factory=_max_per_customer)
    max_neighbours: Mapping[str, int] = field(default_factory=_max_neighbours)
    strong: frozenset[str] = frozenset({"user_id", "crm_id", "loyalty_card"})


DEFAULT_RULES = Rules()
