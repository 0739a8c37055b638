"""Typed facts, how each is written in a locale, and texts made from them by template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from babel.numbers import format_currency, format_decimal

UNITS_ZH = {
    "g": "克", "kg": "千克", "ml": "毫升", "l": "升", "cm": "厘米", "mm": "毫米", "m": "米",
    "h": "小时", "W": "瓦", "pcs": "件",
}  # fmt: skip


@dataclass(frozen=True)
class FactValue:
    """One fact: its type, its value (as stored), and its version."""

    key: str
    type: str
    value: Mapping[str, Any]
    version: int


@dataclass(frozen=True)
class Rendered:
    """A text with, for every fact it used, the version and the value as it is stated."""

    text: str
    stated: dict[str, dict[str, Any]]
    left_out: list[str]


def write(fact: FactValue, locale: str) -> str | None:
    """A fact's wording in a locale (``en``, ``zh``); None when it has no value there.

    Numbers and money follow the Unicode CLDR, by way of Babel.
    """
    language = locale.split("_", maxsplit=1)[0].split("-", maxsplit=1)[0]
    if fact.type == "money":
        amount, currency = Decimal(str(fact.value["amount"])), str(fact.value["currency"])
        return str(format_currency(amount, currency, locale=_babel(locale)))
    if fact.type == "quantity":
        unit = str(fact.value["unit"])
        number = format_decimal(Decimal(str(fact.value["number"])), locale=_babel(locale))
        return f"{number} {unit}" if language != "zh" else f"{number}{UNITS_ZH.get(unit, unit)}"
    value = fact.value.get(language)
    return None if value is None else str(value)


def stated_value(fact: FactValue, locale: str) -> str | None:
    """A fact's value in a form that can be compared across channels of one locale."""
    if fact.type == "money":
        return f"{Decimal(str(fact.value['amount'])).normalize():f} {fact.value['currency']}"
    if fact.type == "quantity":
        return f"{Decimal(str(fact.value['number'])).normalize():f} {fact.value['unit']}"
    return write(fact, locale)


def render(
    template: str, facts: Mapping[str, FactValue], locale: str, max_characters: int, format_: str
) -> Rendered:
    """Fill the template's sentences (one a line) in order while they fit.

    A sentence whose fact is missing, or that would exceed the limit, is left out whole: a fact is
    stated as it is or not at all.
    """
    sentences: list[str] = []
    stated: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    for line in filter(None, (line.strip() for line in template.splitlines())):
        slots = re.findall(r"{(\w+)}", line)
        wording = {key: write(facts[key], locale) if key in facts else None for key in slots}
        if None in wording.values():
            left_out.append(line)
            continue
        filled = line.format_map({key: _safe(str(text), format_) for key, text in wording.items()})
        if len(_join([*sentences, filled], locale, format_)) > max_characters:
            left_out.append(line)
            continue
        sentences.append(filled)
        for key in slots:
            stated[key] = {
                "version": facts[key].version, "value": stated_value(facts[key], locale)
            }  # fmt: skip
    return Rendered(_join(sentences, locale, format_), stated, left_out)


def _safe(text: str, format_: str) -> str:
    return escape(text) if format_ == "html" else text


def _join(sentences: list[str], locale: str, format_: str) -> str:
    if format_ == "html":
        return "".join(f"<p>{sentence}</p>" for sentence in sentences)
    return ("" if locale.startswith("zh") else " ").join(sentences)


def _babel(locale: str) -> str:
    return {"en": "en_US", "zh": "zh_CN"}.get(locale, locale.replace("-", "_"))
