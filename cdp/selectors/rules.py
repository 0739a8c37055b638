"""The rules that hold now, and the versions beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from django.db import connection

from cdp.domain.rules import DEFAULT_RULES, Rules
from cdp.domain.rules_file import to_rules
from cdp.errors import CDPError
from cdp.models import RuleSet, RuleSetStatus

ACTIVE = "SELECT id, created_at, as_of FROM cdp_ruleset WHERE status = 'active'"


def active_rules() -> Rules:
    """The applied rule set, or the built-in one before any was applied; one query."""
    with connection.cursor() as cursor:
        cursor.execute(ACTIVE)
        return rules_in(cursor.fetchall())


def rules_in(found: Sequence[tuple[int, Any, Any]]) -> Rules:
    """The rules that ``ACTIVE`` found."""
    return _rules(*found[0]) if found else DEFAULT_RULES


def rules_of(row: RuleSet) -> Rules:
    return to_rules(row.document, version=str(row.pk))


def rule_set(number: int) -> RuleSet:
    """
    Raises:
        CDPError: ``no_such_rules``.
    """
    row = RuleSet.objects.filter(pk=number).first()
    if row is None:
        raise CDPError("no_such_rules", f"there is no rule set {number}", field="rules")
    return row


def rule_set_or_active(number: int | None) -> RuleSet | None:
    """A version by its number, or the active one (None: the built-in rules hold).

    Raises:
        CDPError: ``no_such_rules``.
    """
    if number is not None:
        return rule_set(number)
    return RuleSet.objects.filter(status=RuleSetStatus.ACTIVE).first()


@lru_cache(maxsize=64)
def _rules(pk: int, created_at: Any, as_of: Any) -> Rules:
    """A stored document never changes, so that a version is read once."""
    return replace(rules_of(RuleSet.objects.get(pk=pk)), as_of=as_of)
