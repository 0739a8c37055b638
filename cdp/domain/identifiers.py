"""Normalise identifier values, and refuse those that name nobody.

Pure: no database. E-mails by ``email-validator`` (RFC 5321/5322 syntax, no DNS), phones by
``phonenumbers`` (ITU E.164).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from cdp.domain.soundness import storable

MAX_LENGTH = 320

# Strongest first: the order in which identifiers speak for a person.
KINDS = (
    "user_id",
    "crm_id",
    "loyalty_card",
    "email",
    "phone",
    "social_handle",
    "device_id",
    "cookie",
)
RANK: Mapping[str, int] = {kind: rank for rank, kind in enumerate(KINDS)}

PLACEHOLDERS = frozenset(
    {
        "null", "none", "nil", "na", "n/a", "nan", "undefined", "unknown", "anonymous", "guest",
        "test", "tester", "testing", "noemail", "no-email", "no email", "nomail", "email",
        "invalid", "id", "user_id", "userid", "distinct_id", "anonymousid", "true", "false",
        "[object object]", "customer", "user", "noreply", "no-reply", "not available", "xxx",
    }
)  # fmt: skip


class Key(NamedTuple):
    """One identifier: its kind and its normalised value."""

    kind: str
    value: str


@dataclass(frozen=True)
class Refused:
    """Why a raw value is not an identifier; the event that carried it is kept."""

    kind: str
    raw: str
    reason: str


def normalise(kind: str, raw: str, region: str = "US") -> Key | Refused:
    """The identifier that a raw value names, or why it names none.

    ``region`` (ISO 3166-1) reads national phone numbers. Reasons: ``unknown_kind``, ``empty``,
    ``bad_character``, ``too_long``, ``blocked``, ``not_an_email``, ``not_a_phone``.
    """
    if kind not in RANK:
        return Refused(kind, raw, "unknown_kind")
    text = raw.strip()
    if not text:
        return Refused(kind, raw, "empty")
    if not storable(text):
        return Refused(kind, repr(raw)[:MAX_LENGTH], "bad_character")
    # Folding case can lengthen a text up to three times.
    if len(text) > MAX_LENGTH or len(text.casefold()) > MAX_LENGTH:
        return Refused(kind, raw[:MAX_LENGTH], "too_long")
    if _is_placeholder(text):
        return Refused(kind, raw, "blocked")
    if kind == "email":
        return _email(text)
    if kind == "phone":
        return _phone(text, region)
    if kind == "social_handle":
        text = text.casefold()
    return Key(kind, text)


def _is_placeholder(text: str) -> bool:
    folded = text.casefold().strip("\"'")
    return folded in PLACEHOLDERS or re.fullmatch(r"-?[0\W_]*|-1|(.)\1{3,}", folded) is not None


@lru_cache(maxsize=100_000)
def _email(text: str) -> Key | Refused:
    try:
        address = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return Refused("email", text, "not_an_email")
    local = address.local_part.casefold()
    domain = address.domain.casefold()
    if local in PLACEHOLDERS or local == domain.partition(".")[0]:
        return Refused("email", text, "blocked")
    return Key("email", f"{local}@{domain}")


@lru_cache(maxsize=100_000)
def _phone(text: str, region: str) -> Key | Refused:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return Refused("phone", text, "not_a_phone")
    if not phonenumbers.is_valid_number(number):
        return Refused("phone", text, "not_a_phone")
    return Key("phone", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
