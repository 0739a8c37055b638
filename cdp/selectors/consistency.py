"""Consistency of a customer and of the shop, against each channel alone."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from cdp.domain import consistency as pure
from cdp.domain.consistency import Measured, PairScore, Shown
from cdp.graph.projection import refusing
from cdp.models import ConsistencyReport
from cdp.selectors.alone import ChannelAlone, channels_alone
from cdp.selectors.exposures import Grouped, Presented, grouped, showable_skus

KIND = {"identity": "slate", "data": "profile", "slate": "slate", "content": "content"}
WINDOW = timedelta(days=7)
STRANGERS = 5
Showable = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Dimension:
    """One dimension with Unison, with each channel alone, and the differences found."""

    name: str
    with_unison: Measured
    alone: Measured
    popularity: float | None
    corrected: float | None
    differences: list[str]


@dataclass(frozen=True)
class ShopConsistency:
    start: datetime
    end: datetime
    dimensions: list[Dimension]
    score: float | None
    coverage: float


def of_customer(customer: int) -> dict[str, list[PairScore]]:
    """Every pair of exposures of one customer in the last week, by dimension."""
    now = timezone.now()
    found = grouped(now - WINDOW, now, [customer])
    scores: dict[str, list[PairScore]] = {}
    for name in pure.DIMENSIONS:
        items = found[KIND[name]][customer]
        channels = {item.shown.channel for item in items}
        showable = showable_skus(channels) if name == "slate" else {}
        pairs = _pairs(name, items)
        results = [_score(name, a, b, showable) for a, b in pairs]
        scores[name] = [one for one in results if isinstance(one, PairScore)]
    return scores


def of_shop(start: datetime, end: datetime) -> ShopConsistency:
    """Measure all customers with exposures on two channels, and the same with resolution off.

    All figures describe one moment, whatever arrives while they are computed.
    """
    with one_moment():
        return _of_shop(start, end)


@contextmanager
def one_moment() -> Iterator[None]:
    """A repeatable-read transaction; inside another transaction, that one."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _of_shop(start: datetime, end: datetime) -> ShopConsistency:
    found = grouped(start, end)
    refused = refusing({customer for kind in found.values() for customer in kind})
    channels = {
        item.shown.channel for kind in found.values() for items in kind.values() for item in items
    }
    showable, alone = showable_skus(channels), channels_alone(channels)
    dimensions = [_dimension(name, found, showable, alone, refused) for name in pure.DIMENSIONS]
    several, measured = _coverage(found, dimensions)
    return ShopConsistency(
        start, end, dimensions,
        pure.shop_score({d.name: d.with_unison for d in dimensions}),
        measured / several if several else 0.0,
    )  # fmt: skip


def latest_report() -> ConsistencyReport | None:
    return ConsistencyReport.objects.order_by("-created_at").first()


def _dimension(
    name: str,
    found: Grouped,
    showable: Showable,
    alone: Mapping[str, ChannelAlone],
    refused: set[int],
) -> Dimension:
    left_out: Counter[str] = Counter()
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    differences: list[str] = []
    for customer, items in sorted(found[KIND[name]].items()):
        if customer in refused:
            left_out["no_consent"] += 1
            continue
        by_shown = {id(item.shown): item for item in items}
        for a, b in _pairs(name, items):
            result = _score(name, a, b, showable)
            if not isinstance(result, PairScore):
                left_out[result or "nothing_in_common"] += 1
                continue
            before = _alone(name, by_shown[id(a)], by_shown[id(b)], showable, alone)
            if not isinstance(before, float):  # the same exclusions on both sides
                left_out[f"alone_{before}"] += 1
                continue
            ours.setdefault(str(customer), []).append(result.score)
            theirs.setdefault(str(customer), []).append(before)
            if result.difference and len(differences) < 20:
                differences.append(f"customer {customer}: {result.difference}")
    binary = name == "identity"
    with_unison = pure.measure(ours, left_out, binary=binary)
    popularity = _strangers(found, showable, refused) if name == "slate" else None
    score = with_unison.score
    freed = None if popularity is None or score is None else pure.corrected(score, popularity)
    measured_alone = pure.measure(theirs, left_out, binary=binary)
    return Dimension(name, with_unison, measured_alone, popularity, freed, differences)


def _pairs(name: str, items: list[Presented]) -> list[tuple[Shown, Shown]]:
    """Exposures to compare: texts only with texts of the same product in the same locale."""
    subjects: dict[str, list[Shown]] = defaultdict(list)
    for item in items:
        subjects[item.subject if name == "content" else ""].append(item.shown)
    return [
        pair
        for _, shown in sorted(subjects.items())
        for pair in pure.nearest_pairs(shown, pure.WINDOWS[name])
    ]


def _score(name: str, a: Shown, b: Shown, showable: Showable) -> PairScore | str | None:
    if name == "identity":
        return pure.identity_score(a, b)
    if name == "data":
        return pure.data_score(a, b)
    if name == "content":
        return pure.content_score(a, b)
    return pure.slate_score(a, b, showable)


def _alone(
    name: str, a: Presented, b: Presented, showable: Showable, alone: Mapping[str, ChannelAlone]
) -> float | str:
    """The same pair with each channel alone, or why it is left out.

    identity: do both channels, each from its own evidence, know an identifier in common?
    """
    one, two = alone[a.shown.channel], alone[b.shown.channel]
    if name == "identity":
        return float(bool(one.known_as(a) & two.known_as(b)))
    left = one.shown(a, KIND[name], showable.get(one.channel, frozenset()))
    right = two.shown(b, KIND[name], showable.get(two.channel, frozenset()))
    if name == "data":
        return _data_alone(a.shown, b.shown, left, right)
    result = _score(name, left, right, showable)
    return result.score if isinstance(result, PairScore) else str(result or "nothing_in_common")


def _data_alone(a: Shown, b: Shown, left: Shown, right: Shown) -> float:
    """Of the traits that both channels serve with Unison (what they read), the share that both would
    serve alike alone; a channel that does not know a value cannot serve it alike."""
    both = a.traits.keys() & b.traits.keys()
    alike = [
        key
        for key in both
        if key in left.traits and key in right.traits and left.traits[key] == right.traits[key]
    ]
    return len(alike) / len(both) if both else 0.0


def _strangers(found: Grouped, showable: Showable, refused: set[int]) -> float | None:
    """R_diff: the same score against *another* customer's exposure on the second channel."""
    by_channel: dict[str, list[tuple[int, Shown]]] = defaultdict(list)
    slates = {c: items for c, items in found["slate"].items() if c not in refused}
    for customer, items in sorted(slates.items()):
        for item in items:
            by_channel[item.shown.channel].append((customer, item.shown))
    dice = random.Random(pure.SEED)
    scores: list[float] = []
    for customer, items in sorted(slates.items()):
        for a, b in pure.nearest_pairs([item.shown for item in items], pure.WINDOWS["slate"]):
            others = [shown for c, shown in by_channel[b.channel] if c != customer]
            for other in dice.sample(others, min(STRANGERS, len(others))):
                result = pure.slate_score(a, other, showable)
                if isinstance(result, PairScore):
                    scores.append(result.score)
    return sum(scores) / len(scores) if scores else None


def _coverage(found: Grouped, dimensions: list[Dimension]) -> tuple[int, int]:
    several: set[int] = set()
    for kind in found.values():
        for customer, items in kind.items():
            if len({item.shown.channel for item in items}) > 1:
                several.add(customer)
    return len(several), max((d.with_unison.customers for d in dimensions), default=0)
