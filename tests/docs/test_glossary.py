"""The glossary is read: its words are used, its banned words are not."""

from __future__ import annotations

import re
import subprocess

import pytest
from django.apps import apps
from graphql import GraphQLInputObjectType, GraphQLObjectType

from api.graphql.schema import schema
from tests.stack_plugin import ROOT

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
KNOWN, _, BANNED = GLOSSARY.partition("## Banned")
BANNED_WORDS = ("alias", "user", "audience", "timestamp")
BANNED_FILES = ("utils", "helpers", "misc", "common", "manager")
# Words that mean in our schema what they mean in English or in the protocol, and no idea of ours.
PLAIN = {
    "input", "info", "page", "edge", "edges", "connection", "node", "cursor", "query", "shop", "run",
}  # fmt: skip


def words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)]


def singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


@pytest.mark.parametrize("model", [m.__name__ for m in apps.get_app_config("cdp").get_models()])
def test_every_model_is_in_the_glossary(model: str) -> None:
    spaced = " ".join(words(model)).replace("quarantined event", "quarantine")
    text = KNOWN.lower()
    assert spaced in text or all(word in text for word in spaced.split()), spaced


def test_the_types_of_the_schema_are_in_the_glossary() -> None:
    text = KNOWN.lower()
    types = schema._schema.type_map
    ours = [
        n
        for n, t in types.items()
        if isinstance(t, GraphQLObjectType | GraphQLInputObjectType) and not n.startswith("__")
    ]
    unknown = {n: w for n in ours for w in words(n) if w not in PLAIN and singular(w) not in text}
    assert unknown == {}


def test_no_banned_word_is_a_column_or_a_field() -> None:
    columns = {
        f"{m.__name__}.{f.name}"
        for m in apps.get_app_config("cdp").get_models()
        for f in m._meta.get_fields()
    }
    fields = {
        f"{name}.{field}"
        for name, kind in schema._schema.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
        for field in kind.fields
    }
    banned = {
        n for n in columns | fields for w in words(n.split(".")[1]) if singular(w) in BANNED_WORDS
    }
    assert banned == set()


def test_no_file_has_a_banned_name() -> None:
    files = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    assert len(files) > 100
    assert [
        f for f in files if f.rsplit("/", 1)[-1].removesuffix(".py").strip("_") in BANNED_FILES
    ] == []


def test_banned_words_are_listed() -> None:
    assert all(word in BANNED for word in (*BANNED_WORDS, *BANNED_FILES))
