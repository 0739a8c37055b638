"""The record of a person in a message: names, birth date, address, as a till, a form or a CRM wrote
them down; and what makes it the same record as another."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from cdp.domain.matching.fields import cleaned, guess, rank

# A record's fields and the kind that the matcher takes each for.
FIELDS: Mapping[str, str] = {
    "given_name": "given_name", "surname": "surname", "full_name": "full_name",
    "birth_date": "birth_date", "gender": "other", "street": "street", "city": "city",
    "postcode": "postcode", "phone": "phone", "email": "email", "national_id": "national_id",
}  # fmt: skip
GENDER = ("gender", "sex")
# With a name, any of these names somebody; a postcode does beside an identifier only.
TELLING = ("birth_date", "street", "national_id")
# Identifiers that part two records of the same words: they name a person, not a device.
NAMING = ("user_id", "crm_id", "loyalty_card")
LONGEST = 200
Found = Iterable[tuple[str, object]]


class Record(NamedTuple):
    """Cleaned fields (only those that are filled) and the value of the ``record`` identifier."""

    value: str
    fields: dict[str, str]


def record_of(traits: Mapping[str, object], found: Found) -> Record | None:
    """The record in a message's traits; None where they name nobody in particular.

    ``found``: the (kind, raw value) pairs by which the message names a person. It does not depend
    on the identity rules, so that people's verdicts on records outlive a change of them.
    """
    if len(traits) < 2:
        return None
    named = [(kind, str(raw).strip().casefold()) for kind, raw in found if raw not in (None, "")]
    fields = _fields({**dict(named), **traits})
    if not _telling(fields, bool(named)):
        return None
    strong = sorted(pair for pair in set(named) if pair[0] in NAMING)
    text = json.dumps([sorted(fields.items()), strong], ensure_ascii=False)
    return Record(hashlib.sha256(text.encode()).hexdigest()[:32], fields)


def _fields(traits: Mapping[str, object]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for field, raw in _spelled(traits):
        if field in fields or isinstance(raw, bool):
            continue
        if not isinstance(raw, str | int) or len(str(raw)) > LONGEST:
            continue
        if field == "full_name" and str(raw).count(",") == 1:  # surname first
            raw = " ".join(reversed(str(raw).split(",")))
        value = cleaned(FIELDS[field], raw)
        if value:
            fields[field] = value
    return _named(fields)


def _spelled(traits: Mapping[str, object]) -> list[tuple[str, object]]:
    """The traits that are fields, the usual spelling of each first: never in the order in which
    they were sent, which is lost when a message is stored."""
    found = []
    for name, raw in _flat(traits):
        if name.casefold() in GENDER:
            found.append((GENDER.index(name.casefold()), name, "gender", raw))
        elif (field := guess(name)) is not None:
            found.append((rank(name), name, field, raw))
    return [(field, raw) for _, _, field, raw in sorted(found, key=lambda one: one[:2])]


def _flat(traits: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, raw in traits.items():
        if name.casefold() == "address" and isinstance(raw, dict):
            for inner, value in raw.items():
                yield _spaced(str(inner)), value
        elif name.casefold() != "title":  # a form of address here, not a name
            yield _spaced(name), raw


def _spaced(name: str) -> str:
    """``postalCode`` as ``postal_Code``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)


def _named(fields: dict[str, str]) -> dict[str, str]:
    """Given name and surname, taken from the full name where it has a space; never both."""
    full = fields.get("full_name")
    if full is None:
        return fields
    if "given_name" not in fields and "surname" not in fields and " " in full:
        one, _, two = full.rpartition(" ")
        fields = {**fields, "given_name": one, "surname": two}
    if "given_name" in fields or "surname" in fields:
        return {name: value for name, value in fields.items() if name != "full_name"}
    return fields


def _telling(fields: Mapping[str, str], identified: bool) -> bool:
    if not ("full_name" in fields or {"given_name", "surname"} <= fields.keys()):
        return False
    return any(name in fields for name in TELLING) or (identified and "postcode" in fields)
