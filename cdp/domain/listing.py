"""One row of a catalogue file as a product with its typed facts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from cdp.domain.commerce import MAX_PRICE
from cdp.domain.soundness import unsound
from cdp.errors import CDPError

LONGEST_VECTOR = 4096
GREATEST = 1e30  # of a picture's numbers, which are kept in four bytes each
Value = Mapping[str, Any]
CHANNELS = ("web", "app", "social", "store", "email", "crm")


@dataclass(frozen=True)
class Listing:
    """A product as it is imported: its own columns and its facts ``{key: (type, value)}``."""

    sku: str
    title: str
    description: str = ""
    category: str = ""
    brand: str = ""
    in_stock: bool = True
    replenishable: bool = False
    channels: tuple[str, ...] = ()
    facts: Mapping[str, tuple[str, Value]] = field(default_factory=dict)
    image_vector: tuple[float, ...] = ()


def listing(row: Mapping[str, Any], currency: str) -> Listing:
    """Validate one row.

    Raises:
        CDPError: ``bad_row`` naming the column.
    """
    sku, title = _text(row, "sku", 100), _text(row, "title", 2000)
    if not sku:
        raise CDPError("bad_row", "a product needs a sku", field="sku")
    texts = {name: _text(row, name, 20_000) for name in ("description", "category", "brand")}
    title = title or texts["description"][:500] or sku
    facts: dict[str, tuple[str, Value]] = {"name": ("text", _languages(title, row, "title_zh"))}
    if texts["description"]:
        facts["summary"] = ("text", _languages(texts["description"], row, "description_zh"))
    if texts["brand"]:
        facts["brand"] = ("text", {"en": texts["brand"], "zh": texts["brand"]})
    if texts["category"]:
        facts["category"] = ("text", _languages(texts["category"], row, "category_zh"))
    price = row.get("price")
    if price not in (None, "") and price == price:  # NaN of a data frame is no price
        amount = _decimal(price, "price")
        facts["price"] = ("money", {"amount": amount, "currency": row.get("currency") or currency})
    facts |= _extra(row.get("facts"))
    return Listing(
        sku=sku, title=title, description=texts["description"], category=texts["category"][:200],
        brand=texts["brand"][:200], in_stock=_flag(row.get("in_stock", True)),
        replenishable=_flag(row.get("replenishable", False)), channels=_channels(row.get("channels")), facts=facts,
        image_vector=_vector(row.get("image_vector")),
    )  # fmt: skip


def _vector(value: object) -> tuple[float, ...]:
    """Numbers as a list, or as the text of one."""
    if value is None or value != value or value == "":
        return ()
    try:
        found: Any = json.loads(value) if isinstance(value, str) else value
        if not isinstance(found, list | tuple):
            raise TypeError(f"{type(found).__name__} is no list")
        numbers = tuple(float(number) for number in found)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CDPError("bad_row", f"no list of numbers: {error}", field="image_vector") from error
    if not 1 <= len(numbers) <= LONGEST_VECTOR or not all(abs(n) <= GREATEST for n in numbers):
        raise CDPError(
            "bad_row", f"1 to {LONGEST_VECTOR} finite numbers are needed", field="image_vector"
        )
    return numbers


def _languages(english: str, row: Mapping[str, Any], column: str) -> Value:
    chinese = _text(row, column, 20_000)
    return {"en": english} | ({"zh": chinese} if chinese else {})


def _text(row: Mapping[str, Any], column: str, longest: int) -> str:
    value = row.get(column)
    if value is None or value != value:  # NaN of a data frame
        return ""
    text = (" > ".join(map(str, value)) if isinstance(value, list) else str(value)).strip()
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise CDPError(
            "bad_row", "text must not contain NUL or half a surrogate pair", field=column
        )
    if len(text) > longest:
        raise CDPError("bad_row", f"longer than {longest} characters", field=column)
    return text


def _decimal(value: object, column: str) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number <= MAX_PRICE:
        raise CDPError("bad_row", f"{value!r:.40} is no price", field=column)
    return str(number)


def _extra(raw: object) -> dict[str, tuple[str, Value]]:
    if raw in (None, ""):
        return {}
    try:
        facts: Any = json.loads(raw) if isinstance(raw, str) else raw
        return {_key(key): _fact(fact["type"], fact["value"]) for key, fact in facts.items()}
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise CDPError(
            "bad_row", f"facts must be {{key: {{type, value}}}}: {error}", field="facts"
        ) from error


def _key(key: str) -> str:
    if not re.fullmatch(r"\w{1,60}", key):
        raise ValueError(f"{key!r:.80} is no fact key (letters, digits, underscore)")
    return key


def _fact(kind: str, value: Mapping[str, Any]) -> tuple[str, Value]:
    """A fact's value in the shape of its type (see ``cdp.models.Fact``)."""
    if unsound(value):
        raise ValueError("text must not contain NUL or half a surrogate pair")
    if kind == "text":
        texts = {str(language): str(text) for language, text in value.items() if text}
        if not texts:
            raise ValueError("a text fact needs a text by language")
        return kind, texts
    shapes = {"money": ("amount", "currency"), "quantity": ("number", "unit")}
    if kind not in shapes:
        raise ValueError(f"{kind!r} is no fact type")
    number, of = shapes[kind]
    amount = Decimal(str(value[number]))
    if not amount.is_finite() or not str(value[of]).strip():
        raise ValueError(f"a {kind} needs a finite {number} and a {of}")
    return kind, {number: str(amount), of: str(value[of]).strip()}


def _flag(value: object) -> bool:
    return str(value).strip().lower() not in ("false", "0", "no", "")


def _channels(value: object) -> tuple[str, ...]:
    if value in (None, ""):
        return ()
    names = value if isinstance(value, list) else str(value).replace("|", ",").split(",")
    wanted = tuple(str(name).strip() for name in names if str(name).strip())
    if unknown := [name for name in wanted if name not in CHANNELS]:
        raise CDPError("bad_row", f"unknown channels: {', '.join(unknown)}", field="channels")
    return wanted
