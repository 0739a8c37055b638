"""The bench itself: one row a model with the columns that are asked for, and errors that say what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.test_shops import write
from tests.stack_plugin import ROOT

COLUMNS = {"model", "recall@20", "ndcg@20", "recall@10", "seconds", "peak_mb"}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "bench/recommend.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Thirty customers of two tastes, each of eight products, six known and two asked for; nobody
    has what anybody of the other taste has."""
    known, asked = [], []
    for customer in range(30):
        own = [(customer + n) % 8 + 10 * (customer % 2) for n in range(8)]
        known += [(customer, item) for item in own[:6]]
        asked += [(customer, item) for item in own[6:]]
    for name, rows in (("train", known), ("test", asked)):
        users, items = zip(*rows, strict=True)
        write(tmp_path, name, user=list(users), item=list(items))
    return tmp_path


def test_a_row_a_model(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    done = bench("--data", str(shop), "--models", "popularity,item-knn", "--json", str(out))
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())
    assert [row["model"] for row in rows] == ["popularity", "item-knn"]
    assert all(row.keys() >= COLUMNS for row in rows)
    # Of sixteen products ten are left: every list of twenty holds all.
    assert [row["recall@20"] for row in rows] == [1.0, 1.0]
    assert rows[1]["ndcg@20"] == 1.0 > rows[0]["ndcg@20"]
    assert "30 customers, 16 products, 180 pairs, 30 customers asked" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "/nowhere/at/all"), "neither a folder nor a set"),
        (("--models", "magic"), "unknown model magic"),
        (("--data", "."), "holds no train.parquet or"),
    ],
)
def test_what_is_wrong_is_named(arguments: tuple[str, ...], said: str, shop: Path) -> None:
    data = () if "--data" in arguments else ("--data", str(shop))
    done = bench(*data, *arguments)
    assert done.returncode != 0
    assert said in done.stderr or "skipped: no ../shared" in done.stderr
