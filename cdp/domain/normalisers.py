"""Normalise identifier values under the rules, and refuse those that name nobody.

Pure: no database. E-mails by ``email-validator`` (RFC 5321/5322 syntax, no DNS), phones by
``phonenumbers`` (ITU E.164).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from cdp.domain.identifiers import Key, Refused
from cdp.domain.rules import DEFAULT_RULES, Rules
from cdp.domain.soundness import storable

MAX_LENGTH = 320


def normalise(
    kind: str, raw: str, region: str = "US", rules: Rules = DEFAULT_RULES
) -> Key | Refused:
    """The identifier that a raw value names, or why it names none.

    ``region`` (ISO 3166-1) reads national phone numbers. Reasons: ``unknown_kind``, ``empty``,
    ``bad_character``, ``too_long``, ``blocked``, ``not_an_email``, ``not_a_phone``.
    """
    rule = rules.kinds.get(kind)
    if rule is None:
        return Refused(kind, raw, "unknown_kind")
    text = raw.strip()
    if not text:
        return Refused(kind, raw, "empty")
    if not storable(text):
        return Refused(kind, repr(raw)[:MAX_LENGTH], "bad_character")
    # Folding case can lengthen a text up to three times.
    if len(text) > MAX_LENGTH or len(text.casefold()) > MAX_LENGTH:
        return Refused(kind, raw[:MAX_LENGTH], "too_long")
    if rules.blocks(kind, text):
        return Refused(kind, raw, "blocked")
    value, reason = NORMALISERS[rule.normaliser](text, region)
    if reason or rules.blocks(kind, value) or _nobody(rule.normaliser, value, rules):
        return Refused(kind, raw, reason or "blocked")
    return Key(kind, value)


def _nobody(normaliser: str, value: str, rules: Rules) -> bool:
    """An address whose local part is a placeholder, or repeats the domain (``a@a.com``)."""
    if normaliser != "email":
        return False
    local, _, domain = value.partition("@")
    return local in rules.blocked or local == domain.partition(".")[0]


@lru_cache(maxsize=100_000)
def _email(text: str, region: str) -> tuple[str, str]:
    try:
        address = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return "", "not_an_email"
    return f"{address.local_part.casefold()}@{address.domain.casefold()}", ""


@lru_cache(maxsize=100_000)
def _phone(text: str, region: str) -> tuple[str, str]:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return "", "not_a_phone"
    if not phonenumbers.is_valid_number(number):
        return "", "not_a_phone"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), ""


NORMALISERS: Mapping[str, Callable[[str, str], tuple[str, str]]] = {
    "text": lambda text, region: (text, ""),
    "casefold": lambda text, region: (text.casefold(), ""),
    "email": _email,
    "phone": _phone,
}
