"""The kinds of field that the matcher knows, how their values are cleaned, and the parts of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

FIELD_KINDS = (
    "given_name", "surname", "full_name", "birth_date", "street", "city", "postcode", "phone",
    "email", "national_id", "other",
)  # fmt: skip
NAMES_OF: Mapping[str, tuple[str, ...]] = {
    "given_name": ("given_name", "first_name", "forename", "firstname", "givenname"),
    "surname": ("surname", "last_name", "family_name", "lastname"),
    "full_name": ("full_name", "name", "fullname", "title"),
    "birth_date": ("birth_date", "dob", "date_of_birth", "birthday", "birthdate"),
    "street": ("street", "address", "addr", "address_1", "address1", "street_address"),
    "city": ("city", "town", "suburb", "birth_place", "place"),
    "postcode": ("postcode", "zip", "postal_code", "zipcode", "postcode_fake"),
    "phone": ("phone", "telephone", "mobile", "tel"),
    "email": ("email", "e_mail", "mail"),
    "national_id": ("national_id", "ssn", "soc_sec_id", "tax_id", "passport"),
}
MONTHS = {name: n for n, name in enumerate(
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)}  # fmt: skip
NOTHING = frozenset({"", "nan", "none", "null", "n/a", "na", "unknown", "-", "?"})


def guess(column: str) -> str | None:
    """The kind that a column's name suggests; None where it suggests none."""
    folded = _folded(column)
    return next((kind for kind, names in NAMES_OF.items() if folded in names), None)


def rank(column: str) -> int:
    """How usual this spelling is for its kind: 0 is the most usual."""
    folded = _folded(column)
    return next(
        (names.index(folded) for names in NAMES_OF.values() if folded in names), len(NAMES_OF)
    )


def _folded(column: str) -> str:
    return re.sub(r"\W+", "_", column.strip().lower())


def cleaned(kind: str, raw: object) -> str | None:
    """A value made comparable: plain lower-case letters, only digits where digits are meant, dates
    as YYYY-MM-DD. None where nothing is left."""
    if raw is None:
        return None
    text = unicodedata.normalize("NFKD", str(raw))
    text = "".join(c for c in text if not unicodedata.combining(c)).casefold().strip()
    if text in NOTHING:
        return None
    if kind in ("phone", "national_id"):
        text = re.sub(r"\W+", "", text)
    elif kind == "birth_date":
        text = _date(text)
    elif kind == "postcode":
        text = re.sub(r"[^0-9a-z]+", "", text)
    elif kind == "email":
        text = text.replace(" ", "")
    else:
        text = " ".join(re.sub(r"[^\w]+", " ", text).split())
    return text or None


def _date(text: str) -> str:
    """Year first where the parts say which is the year; else the text as it is."""
    digits = re.sub(r"\D", "", text)
    parts = re.findall(r"\d+|[a-z]{3,}", text)
    if len(parts) == 1 and len(digits) == 8:
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    numbers = [MONTHS.get(part[:3], part) for part in parts][:3]
    if len(numbers) == 3:
        a, b, c = (str(number).zfill(2) for number in numbers)
        if len(a) == 4:
            return f"{a}-{b}-{c}"
        if len(c) == 4:
            return f"{c}-{b}-{a}"
    return text


def derived(record: Mapping[str, str | None], kinds: Mapping[str, str]) -> dict[str, str | None]:
    """A cleaned record with the parts that comparisons look at (``<field>__<part>``)."""
    full: dict[str, str | None] = dict(record)
    for name, kind in kinds.items():
        value = record.get(name)
        for part, cut in PARTS.get(kind, {}).items():
            full[f"{name}__{part}"] = cut(value) or None if value else None
    given, surname = of_kind(kinds, "given_name"), of_kind(kinds, "surname")
    if given and surname:
        one, two = record.get(given[0]), record.get(surname[0])
        full["names"] = f"{one} {two}" if one and two else None
        full["names__turned"] = f"{two} {one}" if one and two else None
    return full


def of_kind(kinds: Mapping[str, str], kind: str) -> list[str]:
    return [name for name, found in kinds.items() if found == kind]


PARTS: Mapping[str, Mapping[str, Callable[[str], str]]] = {
    "birth_date": {"year": lambda v: v[:4], "day": lambda v: v[5:] if len(v) == 10 else ""},
    "postcode": {"area": lambda v: v[:-3] if len(v) > 5 and not v.isdigit() else v[:3]},
    "email": {"local": lambda v: v.partition("@")[0]},
    "street": {
        "number": lambda v: (re.search(r"\d+", v) or [""])[0],
        "sorted": lambda v: " ".join(sorted(v.split())),
    },
    "full_name": {
        "sorted": lambda v: " ".join(sorted(v.split())),
        "first": lambda v: v.split()[0],
        "last": lambda v: v.split()[-1],
    },
    "phone": {"end": lambda v: v[-7:]},
}
