"""Rules as a document: strictly read, written back alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from cdp.domain.identifiers import Key, Refused
from cdp.domain.normalisers import normalise
from cdp.domain.rules import DEFAULT_RULES
from cdp.domain.rules_file import read, to_document, to_rules, write
from cdp.errors import CDPError


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = yaml.safe_load(write(DEFAULT_RULES))
    change(document)
    return document


def test_what_is_written_is_read_back_alike() -> None:
    document = read(write(DEFAULT_RULES))
    assert to_rules(document, version="built-in") == DEFAULT_RULES
    assert to_document(to_rules(document)) == document


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        (lambda d: d["kinds"].update(fax={"priority": 9}), "kinds.fax", "unknown kind; known are user_id"),
        (lambda d: d["kinds"].pop("email"), "kinds.email", "is missing"),
        (lambda d: d["kinds"]["email"].update(priority=1), "kinds.email.priority", "1 is that of user_id"),
        (lambda d: d["kinds"]["email"].pop("priority"), "kinds.email.priority", "is missing"),
        (lambda d: d["kinds"]["email"].update(weight=3), "kinds.email.weight", "unknown field"),
        (lambda d: d["kinds"]["email"].update(strong="yes"), "kinds.email.strong", "true or false"),
        (lambda d: d["kinds"]["email"].update(normaliser="soundex"), "kinds.email.normaliser", "one of text"),
        (lambda d: d["kinds"]["email"].update(max_neighbours=0), "kinds.email.max_neighbours", "whole number from 1"),
        (lambda d: d["kinds"]["email"].update(max_neighbours=True), "kinds.email.max_neighbours", "whole number"),
        (lambda d: d["kinds"]["email"].update(blocked=[12]), "kinds.email.blocked", "list of texts"),
        (lambda d: d["kinds"]["cookie"].update(patterns=["(", "x"]), "kinds.cookie.patterns[0]", "not a regular expression"),
        (lambda d: d.update(patterns=["x" * 300]), "patterns[0]", "longer than 200"),
        (lambda d: d.update(version=1), "version", "unknown field"),
        (lambda d: d.update(kinds=[1]), "kinds", "must be a mapping"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_field(
    change: Callable[[dict[str, Any]], object], field: str, reason: str
) -> None:
    with pytest.raises(CDPError) as error:
        to_rules(changed(change))
    assert (error.value.code, error.value.field) == ("bad_rules", field)
    assert reason in error.value.message


@pytest.mark.parametrize("text", ["kinds: [", "", "- 1", "!!python/object:os.system {}"])
def test_what_is_no_rules_file_is_said(text: str) -> None:
    with pytest.raises(CDPError, match="bad_rules"):
        read(text)


def test_values_and_patterns_of_one_kind_name_nobody_there_only() -> None:
    rules = to_rules(
        changed(lambda d: d["kinds"]["cookie"].update(blocked=["Opt-Out"], patterns=["bot-.*"]))
    )
    assert isinstance(normalise("cookie", "opt-out", rules=rules), Refused)
    assert isinstance(normalise("cookie", "BOT-7", rules=rules), Refused)
    assert normalise("user_id", "bot-7", rules=rules) == Key("user_id", "bot-7")
    assert normalise("cookie", "bot-7") == Key("cookie", "bot-7")


def test_only_what_changes_reading_makes_rules_read_otherwise() -> None:
    limits = to_rules(changed(lambda d: d["kinds"]["email"].update(max_neighbours=9, priority=44)))
    words = to_rules(changed(lambda d: d["blocked"].append("walk-in")))
    assert limits.reads_like(DEFAULT_RULES)
    assert not words.reads_like(DEFAULT_RULES)
