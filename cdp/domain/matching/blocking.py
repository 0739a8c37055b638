"""Blocking keys: two records are compared only when they share one of these.

Each key joins parts of one or two fields, so that a slip in any one field leaves another key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

import jellyfish

from cdp.domain.matching.fields import PARTS, of_kind

Values = Mapping[str, str | None]
# A block with more records than this names nobody: its key is left out. How many there are depends
# only on which records there are, not on the order in which they came.
MOST = 50
Block = TypeVar("Block", bound=Hashable)


def keys(record: Values, kinds: Mapping[str, str]) -> list[str]:
    """The keys of one cleaned record, without repetition; the scheme comes first in each."""
    return list(dict.fromkeys(_keys(record, kinds)))


def blocks(records: Iterable[tuple[int, Iterable[Block]]]) -> dict[Block, list[int]]:
    """The records under each of their keys."""
    found: dict[Block, list[int]] = defaultdict(list)
    for number, its in records:
        for key in its:
            found[key].append(number)
    return dict(found)


def pairs(found: Mapping[Block, Sequence[int]]) -> set[tuple[int, int]]:
    """Every two records (the smaller number first) that share a key of a block not too large."""
    return {
        pair
        for numbers in found.values()
        if 1 < len(numbers) <= MOST
        for pair in combinations(sorted(numbers), 2)
    }


def _keys(record: Values, kinds: Mapping[str, str]) -> Iterator[str]:
    strong: list[tuple[str, str]] = []
    for name, kind in kinds.items():
        value = record.get(name)
        if not value:
            continue
        for scheme, part in _alone(kind, value):
            yield f"{name}.{scheme}={part}"
        strong += [(f"{name}.{scheme}", part) for scheme, part in _paired(kind, value)]
    for (one, a), (two, b) in combinations(strong, 2):
        if one.partition(".")[0] != two.partition(".")[0]:
            yield f"{one}&{two}={a}|{b}"
    yield from _names(record, kinds)


def _alone(kind: str, value: str) -> Iterator[tuple[str, str]]:
    """Parts that few people share."""
    if kind in ("phone", "national_id", "email", "full_name", "street"):
        yield "all", value
    if kind == "phone" and len(value) > 7:
        yield "end", PARTS["phone"]["end"](value)
    if kind == "email":
        yield "local", PARTS["email"]["local"](value)
    if kind in ("full_name", "street"):
        yield "words", PARTS[kind]["sorted"](value)


def _paired(kind: str, value: str) -> Iterator[tuple[str, str]]:
    """Parts that name few people together with a part of another field."""
    if kind in ("given_name", "surname"):
        yield "start", value[:4]
        yield "sound", jellyfish.metaphone(value) or value
    elif kind == "full_name":
        words = value.split()
        yield "first", words[0][:5]
        if len(words) > 1:
            yield "last", words[-1][:5]
    elif kind == "birth_date":
        yield "all", value
        yield "year", PARTS["birth_date"]["year"](value)
    elif kind == "postcode":
        yield "all", value
        yield "area", PARTS["postcode"]["area"](value)
    elif kind == "street":
        yield "start", value[:6]
    elif kind in ("city", "other") and len(value) > 2:
        yield "all", value
    elif kind in ("phone", "national_id"):
        yield "start", value[:4]
        yield "end", value[-4:]


def _names(record: Values, kinds: Mapping[str, str]) -> Iterator[str]:
    """The names turned round, and both by their first letters with the year of birth."""
    given, surname = of_kind(kinds, "given_name"), of_kind(kinds, "surname")
    if not (given and surname):
        return
    one, two = record.get(given[0]), record.get(surname[0])
    if not (one and two):
        return
    yield "turned=" + "|".join(sorted((one[:4], two[:4])))
    dates = of_kind(kinds, "birth_date")
    if dates and (born := record.get(dates[0])):
        yield f"letters={one[:2]}|{two[:2]}|{born[:4]}"
