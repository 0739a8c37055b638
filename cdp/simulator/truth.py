"""How right is identity? The resolved customers against the people who were invented."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cdp.domain.identifiers import Key
from cdp.domain.normalisers import normalise
from cdp.models import Identifier
from cdp.simulator.journeys import Message

LEAST_PRECISION = 0.98
LEAST_RECALL = 0.80
ONE_VOICE = ("slate", "content")


@dataclass(frozen=True)
class Accuracy:
    """Over pairs of identifiers that one person owns alone."""

    precision: float
    recall: float
    people: int
    customers: int
    identifiers: int
    largest: int


def owners(messages: Iterable[Message], region: str) -> dict[Key, set[int]]:
    """Who truly uses each identifier that was sent."""
    found: dict[Key, set[int]] = defaultdict(set)
    for message in messages:
        raw = [("device_id" if message.source == "app" else "cookie", message.anonymous_id)]
        if message.user_id:
            raw.append(("user_id", message.user_id))
        raw += [(one["type"], one["id"]) for one in message.context.get("externalIds", [])]
        if message.call == "identify":
            kinds = ("email", "phone", "loyalty_card")
            raw += [(kind, message.body[kind]) for kind in kinds if kind in message.body]
        for kind, value in raw:
            key = normalise(kind, value, region)
            if isinstance(key, Key):
                found[key].add(message.person)
    return found


def accuracy(truth: Mapping[Key, set[int]]) -> Accuracy:
    """Pairs joined that belong together (precision), and of those that do, joined (recall)."""
    rows = Identifier.objects.filter(customer__isnull=False).values_list(
        "kind", "value", "customer_id"
    )
    customer = {Key(kind, value): id_ for kind, value, id_ in rows}
    single = {key: next(iter(people)) for key, people in truth.items() if len(people) == 1}
    own = {
        key: next(iter(people))
        for key, people in truth.items()
        if len(people) == 1 and key in customer
    }
    cells = Counter((customer[key], person) for key, person in own.items())
    joined = Counter(customer[key] for key in own)
    # An identifier that was lost on the way belongs to its person all the same.
    belonging = Counter(single.values())
    right, all_joined, all_true = (_pairs(counts) for counts in (cells, joined, belonging))
    return Accuracy(
        precision=right / all_joined if all_joined else 0.0,
        recall=right / all_true if all_true else 0.0,
        people=len(belonging), customers=len(joined), identifiers=len(own),
        largest=max(joined.values(), default=0),
    )  # fmt: skip


def shortfalls(found: Accuracy, dimensions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the demo promises and these figures do not keep; empty when all is well.

    ``dimensions``: a consistency report's parts by name, each with ``score`` and ``alone.score``.
    """
    wrong = []
    if found.precision < LEAST_PRECISION:
        wrong.append(f"pair precision {found.precision:.4f} is below {LEAST_PRECISION}")
    if found.recall < LEAST_RECALL:
        wrong.append(f"pair recall {found.recall:.4f} is below {LEAST_RECALL}")
    for name in ONE_VOICE:
        part = dimensions.get(name, {})
        after, before = part.get("score"), part.get("alone", {}).get("score")
        if after is None or before is None:
            wrong.append(f"{name} consistency was not measured")
        elif after < 1 or before >= after:
            wrong.append(f"{name} consistency {before:.4f} → {after:.4f} does not end higher, at 1")
    return wrong


def _pairs(counts: Counter[Any]) -> int:
    return sum(n * (n - 1) // 2 for n in counts.values())
