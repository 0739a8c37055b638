"""Every shape of a shop's data becomes the same kind of split, and a wrong one says what is wrong."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import shops


def write(folder: Path, name: str, **columns: list[Any]) -> None:
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")


def asked(split: Any) -> dict[str, set[str]]:
    return {
        split.customers[customer]: {split.skus[item] for item in items}
        for customer, items in split.targets.items()
    }


def test_train_and_test_without_a_time(tmp_path: Path) -> None:
    """What alice already had is not asked for; carol, of whom nothing is known, is not asked."""
    write(tmp_path, "train", user=[1, 1, 2], item=[10, 11, 10])
    write(tmp_path, "test", user=[1, 1, 2, 3], item=[10, 12, 11, 10])
    split, texts = shops.read(tmp_path)
    assert texts is None
    assert asked(split) == {"1": {"12"}, "2": {"11"}}
    assert [[(t.product, t.verb, t.at) for t in h] for h in split.histories] == [
        [(0, "viewed", 0), (1, "viewed", 0)], [(0, "viewed", 0)], [],
    ]  # fmt: skip
    assert not split.last_out


def test_train_with_behaviours_and_times(tmp_path: Path) -> None:
    write(tmp_path, "train", user=[1, 1, 1], item=[5, 5, 6], behaviour=["view", "cart", "buy"],
          ts=[3, 4, 5])  # fmt: skip
    write(tmp_path, "test", user=[1], item=[7])
    split, _ = shops.read(tmp_path)
    assert [(t.product, t.verb, t.at) for t in split.histories[0]] == [
        (0, "viewed", 3000), (0, "added", 4000), (1, "purchased", 5000),
    ]  # fmt: skip
    assert split.last_out and asked(split) == {"1": {"7"}}


def test_the_last_of_each_customer_is_asked_and_texts_are_kept(tmp_path: Path) -> None:
    write(tmp_path, "interactions", user=[1, 1, 1, 2, 2], pos=[0, 1, 2, 0, 1], item=[3, 4, 5, 5, 3])
    write(tmp_path, "items", item=[3, 4, 5], title=["soap", None, "comb"], brand=["Lux", "", "Ace"])
    split, texts = shops.read(tmp_path)
    assert asked(split) == {"1": {"5"}, "2": {"3"}}
    assert [[(t.product, t.at) for t in h] for h in split.histories] == [
        [(0, -2), (1, -1)],
        [(2, -1)],
    ]
    assert texts == ["soap. Lux", "product", "comb. Ace"]


def test_lines_of_invoices_are_split_by_date(tmp_path: Path) -> None:
    """Ten lines in ten days: the last two are asked, where they are new and no return."""
    days = [datetime(2010, 1, n + 1) for n in range(10)]
    write(
        tmp_path, "lines", customer_id=[1.0] * 8 + [1.0, None], cancelled=[False] * 10,
        stock_code=["a", "b", "c", "d", "e", "f", "g", "h", "z", "y"], invoice_date=days,
        description=["soap"] * 10,
    )  # fmt: skip
    split, texts = shops.read(tmp_path)
    assert asked(split) == {"1": {"h", "z"}}
    assert texts == ["soap"] * 9


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no train.parquet or interactions.parquet or lines.parquet"),
        ({"train": {"user": [1], "item": [1]}}, "test.parquet is missing"),
        ({"train": {"user": [1]}}, "train.parquet has no column item"),
        ({"interactions": {"user": [], "pos": [], "item": []}}, "interactions.parquet is empty"),
    ],
)
def test_a_folder_of_another_shape_is_named_with_the_reason(
    tmp_path: Path, files: dict[str, dict[str, list[Any]]], said: str
) -> None:
    for name, columns in files.items():
        write(tmp_path, name, **columns)
    with pytest.raises(shops.UnknownShape, match=said):
        shops.read(tmp_path)
