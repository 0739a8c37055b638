"""The deterministic check of a text against the facts it may state.

First form: money and quantities in English and Chinese, required wordings, a lexicon of claims
that need evidence, and the rule that every digit must belong to a fact.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cdp.domain.facts import FactValue, write

CLAIMS = {
    "en": (
        "best", "cheapest", "guaranteed", "certified", "clinically", "cures", "100%", "eco-friendly",
        "climate neutral", "risk-free", "world's first", "number one", "free shipping",
    ),
    "zh": ("最佳", "最好", "第一", "国家级", "最高级", "治愈", "保证", "认证", "环保", "免邮", "独家"),
}  # fmt: skip


LONG_TEXT = 40


@dataclass(frozen=True)
class Problem:
    """What is wrong: ``contradicted``, ``missing`` or ``unsupported``; about what; where."""

    kind: str
    about: str
    span: str


def check(
    text: str, facts: Mapping[str, FactValue], locale: str, required: Iterable[str] = ()
) -> list[Problem]:
    """Problems of a text; an empty list means that it may be shown.

    A number that no fact explains is *contradicted* when it stands with the unit or currency of a
    fact, else *unsupported*.
    """
    rest = _normalise(text)
    problems = _in_descriptions(facts, locale, rest)
    wordings = {key: write(fact, locale) for key, fact in facts.items()}
    for key in required:
        wording = wordings.get(key)
        if wording is None or _normalise(wording) not in rest:
            problems.append(Problem("missing", key, ""))
    for wording in sorted(filter(None, wordings.values()), key=len, reverse=True):
        rest = re.sub(_whole(_normalise(wording)), " ", rest)
    problems += _claims(rest, locale)
    for match in re.finditer(r"[^\s,;，。;]{0,3}\d[\d.,]*\s*[^\s\d,;，。;]{0,4}", rest):
        problems.append(_unexplained(match.group().strip(), facts, locale))
    return problems


def _in_descriptions(facts: Mapping[str, FactValue], locale: str, text: str) -> list[Problem]:
    """Claims and prices inside the long text facts that the text quotes: a description is written
    by people, and what it promises is checked like any other sentence (its other numbers are its
    own facts)."""
    problems: list[Problem] = []
    price = facts.get("price")
    own = _normalise(write(price, locale) or "") if price else ""
    for fact in facts.values():
        wording = _normalise(write(fact, locale) or "") if fact.type == "text" else ""
        if len(wording) > LONG_TEXT and wording in text:
            problems += _claims(wording, locale)
            for match in re.finditer(r"(?:us)?[$€£¥]\s?\d[\d.,]*\d|(?:us)?[$€£¥]\s?\d", wording):
                if match.group() != own:
                    problems.append(Problem("contradicted", "price", match.group()))
    return problems


def _whole(wording: str) -> str:
    """The wording, not as part of a longer number or word (1.5 kg is not in 11.5 kg)."""
    before = r"(?<![\d.,])" if wording[:1].isdigit() else ""
    after = (
        r"(?![\d])"
        if wording[-1:].isdigit()
        else r"(?![a-z])"
        if wording[-1:].isascii() and wording[-1:].isalpha()
        else ""
    )
    return before + re.escape(wording) + after


def _claims(text: str, locale: str) -> list[Problem]:
    lexicon = CLAIMS["zh" if locale.startswith("zh") else "en"]
    found = []
    for claim in lexicon:
        pattern = (
            re.escape(claim) if not claim[0].isascii() else rf"(?<!\w){re.escape(claim)}(?!\w)"
        )
        found += [Problem("unsupported", "claim", m.group()) for m in re.finditer(pattern, text)]
    return found


def _unexplained(span: str, facts: Mapping[str, FactValue], locale: str) -> Problem:
    for key, fact in sorted(facts.items()):
        wording = write(fact, locale) if fact.type in ("money", "quantity") else None
        mark = re.sub(r"[\d.,\s]", "", _normalise(wording or ""))
        if mark and mark in span:
            return Problem("contradicted", key, span)
    return Problem("unsupported", "number", span)


def _normalise(text: str) -> str:
    plain = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", plain)).casefold()
