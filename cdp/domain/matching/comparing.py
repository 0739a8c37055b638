"""How two records are compared, field by field: an ordered list of levels, from alike to unlike.

Each level is data, read twice: as SQL by the trainer and as Python by the online scorer
(``agrees``). String similarities are Jaro-Winkler (prefix weight 0.1) and Damerau-Levenshtein.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from cdp.domain.matching.fields import of_kind

Values = Mapping[str, str | None]


@dataclass(frozen=True)
class Condition:
    """One condition. ``how``: *equal*, *crossed* (``column`` of one is ``other`` of the other),
    *jaro_winkler* (at least ``limit``) or *damerau* (at most ``limit`` edits)."""

    how: str
    column: str
    limit: float = 0.0
    other: str = ""


@dataclass(frozen=True)
class Level:
    """All tests hold. ``rare``: the column whose rarer values count for more."""

    name: str
    tests: tuple[Condition, ...]
    rare: str | None = None


@dataclass(frozen=True)
class Comparison:
    """``needs``: with none of these columns on both sides the comparison says nothing."""

    name: str
    needs: tuple[str, ...]
    levels: tuple[Level, ...]


_similar, _distance = JaroWinkler.similarity, DamerauLevenshtein.distance


def agrees(level: Level, a: Values, b: Values) -> bool:
    """Do all conditions of the level hold? A missing value never agrees."""
    for test in level.tests:
        one, two = a.get(test.column), b.get(test.other or test.column)
        if one is None or two is None:
            return False
        if test.how == "jaro_winkler":
            if _similar(one, two) < test.limit:
                return False
        elif test.how == "damerau":
            if _distance(one, two) > test.limit:
                return False
        elif one != two:
            return False
    return True


def comparisons(kinds: Mapping[str, str]) -> list[Comparison]:
    """What is compared between records with these fields (name → kind)."""
    found: list[Comparison] = []
    given, surname = of_kind(kinds, "given_name"), of_kind(kinds, "surname")
    together = bool(given and surname)
    if together:
        found.append(_person(given[0], surname[0]))
    for name, kind in kinds.items():
        if together and name in (given[0], surname[0]):
            continue
        found.append(BY_KIND[kind](name))
    return found


def _equal(column: str) -> Condition:
    return Condition("equal", column)


def _close(column: str, limit: float) -> Condition:
    return Condition("jaro_winkler", column, limit)


def _edits(column: str, limit: int) -> Condition:
    return Condition("damerau", column, limit)


def _person(given: str, surname: str) -> Comparison:
    """Given name and surname as one: they depend on each other, and are entered the wrong way round."""
    return Comparison("names", (given, surname), (
        Level("both the same", (_equal("names"),), "names"),
        Level("turned round", (Condition("crossed", "names", other="names__turned"),)),
        Level("both close", (_close(given, 0.92), _close(surname, 0.92))),
        Level("both alike", (_close(given, 0.85), _close(surname, 0.85))),
        Level("the surname", (_equal(surname),), surname),
        Level("the given name", (_equal(given),), given),
        Level("the surname nearly", (_close(surname, 0.88),)),
        Level("the given name nearly", (_close(given, 0.88),)),
    ))  # fmt: skip


def _name(name: str) -> Comparison:
    return Comparison(name, (name,), (
        Level("the same", (_equal(name),), name),
        Level("nearly the same", (_close(name, 0.94),)),
        Level("alike", (_close(name, 0.88),)),
        Level("a little alike", (_close(name, 0.8),)),
    ))  # fmt: skip


def _full_name(name: str) -> Comparison:
    return Comparison(name, (name,), (
        Level("the same", (_equal(name),), name),
        Level("the same words", (_equal(f"{name}__sorted"),)),
        Level("nearly the same", (_close(name, 0.94),)),
        Level("first and last word", (_equal(f"{name}__first"), _equal(f"{name}__last"))),
        Level("alike", (_close(name, 0.86),)),
        Level("the last word", (_equal(f"{name}__last"),)),
        Level("the first word", (_equal(f"{name}__first"),)),
        Level("a little alike", (_close(f"{name}__sorted", 0.8),)),
    ))  # fmt: skip


def _birth_date(name: str) -> Comparison:
    return Comparison(name, (name,), (
        Level("the same", (_equal(name),), name),
        Level("one slip", (_edits(name, 1),)),
        Level("day and month", (_equal(f"{name}__day"),)),
        Level("two slips", (_edits(name, 2),)),
        Level("the year", (_equal(f"{name}__year"),)),
    ))  # fmt: skip


def _postcode(name: str) -> Comparison:
    return Comparison(name, (name,), (
        Level("the same", (_equal(name),), name),
        Level("one slip", (_edits(name, 1),)),
        Level("the area", (_equal(f"{name}__area"),), f"{name}__area"),
        Level("two slips", (_edits(name, 2),)),
    ))  # fmt: skip


def _street(name: str) -> Comparison:
    return Comparison(name, (name,), (
        Level("the same", (_equal(name),), name),
        Level("nearly the same", (_close(name, 0.94),)),
        Level("the number, and alike", (_equal(f"{name}__number"), _close(name, 0.75))),
        Level("the same words about", (_close(f"{name}__sorted", 0.9),)),
        Level("alike", (_close(name, 0.85),)),
        Level("the number", (_equal(f"{name}__number"),)),
    ))  # fmt: skip


def _digits(name: str) -> Comparison:
    return Comparison(name, (name,), (
        Level("the same", (_equal(name),), name),
        Level("one slip", (_edits(name, 1),)),
        Level("two slips", (_edits(name, 2),)),
    ))  # fmt: skip


def _email(name: str) -> Comparison:
    return Comparison(name, (name,), (
        Level("the same", (_equal(name),), name),
        Level("the part before the @", (_equal(f"{name}__local"),)),
        Level("nearly the same", (_close(name, 0.94),)),
        Level("alike before the @", (_close(f"{name}__local", 0.88),)),
    ))  # fmt: skip


def _other(name: str) -> Comparison:
    return Comparison(name, (name,), (
        Level("the same", (_equal(name),), name),
        Level("nearly the same", (_close(name, 0.9),)),
    ))  # fmt: skip


BY_KIND = {
    "given_name": _name, "surname": _name, "full_name": _full_name, "birth_date": _birth_date,
    "street": _street, "city": _other, "postcode": _postcode, "phone": _digits, "email": _email,
    "national_id": _digits, "other": _other,
}  # fmt: skip
