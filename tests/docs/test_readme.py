"""What the documents promise exists."""

from __future__ import annotations

import re

import pytest
from django.core.management import get_commands, load_command_class

from tests.stack_plugin import ROOT

PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 200


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text())
    assert [t for t in targets if not (path.parent / t).exists()] == []


def test_every_command_that_is_named_exists_and_explains_itself() -> None:
    named = {
        name
        for page in PAGES
        for name in re.findall(r"manage\.py ([a-z_]+)", (ROOT / page).read_text())
    }
    known = get_commands()
    assert named - set(known) == set()
    ours = {name: app for name, app in known.items() if app in ("cdp", "api", "graph_ml")}
    assert len(ours) >= 10
    for name, app in ours.items():
        assert load_command_class(app, name).help


def test_every_direct_dependency_is_explained() -> None:
    explained = (ROOT / "docs" / "dependencies.md").read_text().lower()
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    names = [
        re.split(r"[=\[]", line)[0].lower() for line in lines if line and not line.startswith("#")
    ]
    assert [name for name in names if name not in explained] == []


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(file: str) -> None:
    lines = [
        line for line in (ROOT / file).read_text().splitlines() if line and line[0] not in "#-"
    ]
    assert [
        line for line in lines if not re.fullmatch(r"[\w.\-]+(\[[\w,]+\])?==[\w.]+", line)
    ] == []
