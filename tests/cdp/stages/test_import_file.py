"""Files through the same ingestion as HTTP: three formats, broken rows, resumption."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from cdp import pipeline
from cdp.models import Event, Identifier, ImportRun, Product, ProductImage, QuarantinedEvent, Source
from cdp.selectors import files

pytestmark = pytest.mark.django_db


def run(command: str, *args: str) -> str:
    out = io.StringIO()
    call_command(command, *args, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_json_lines_with_a_broken_line(store: Source, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [json.dumps({"type": "page", "userId": f"u{n}"}) for n in range(3)]
    path.write_text(
        "\n".join(
            [lines[0], '{"type": "pa', lines[1], "[1]", json.dumps({"type": "page"}), lines[2]]
        )
        + "\n"
    )
    out = run("import_events", str(path), "--source", store.name)
    assert "6 rows: 3 kept, 0 already there, 3 refused" in out
    assert sorted(QuarantinedEvent.objects.values_list("reason", "field")) == [
        ("bad_row", "line 2"), ("bad_row", "line 4"), ("missing_id", "userId"),
    ]  # fmt: skip


def test_csv_with_a_column_map_and_a_broken_row(store: Source, tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text(
        "card,when,item,price\nL1,2026-01-02T10:00:00Z,T1,3.5\nL2,2026-01-02,T2\nL3,2026-01-03T10:00:00Z,T\0,1\nL4,later,T4,1\n"
    )
    out = run(
        "import_events", str(path), "--source", store.name, "--map", "card=id.loyalty_card", "--map",
        "when=timestamp", "--map", "item=properties.sku", "--map", "price=properties.price",
        "--set", "type=track", "--set", "event=Order Completed", "--wait",
    )  # fmt: skip
    assert "4 rows: 1 kept, 0 already there, 3 refused" in out
    assert Identifier.objects.get().value == "L1"
    event = Event.objects.get()
    assert (event.verb, event.occurred_at.isoformat()) == ("purchased", "2026-01-02T10:00:00+00:00")
    reasons = set(QuarantinedEvent.objects.values_list("reason", flat=True))
    assert reasons == {"bad_row", "nul_character", "bad_timestamp"}


def test_a_quote_that_is_never_closed_costs_its_own_line(store: Source, tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text('sku,title\n1,a\n2,"broken\n3,c\n4,"two\nlines"\n5,e\n')
    out = run("import_products", str(path))
    assert "4 products kept, 1 rows refused" in out
    titles = dict(Product.objects.values_list("sku", "title"))
    assert titles == {"1": "a", "3": "c", "4": "two\nlines", "5": "e"}


def test_read_with_another_map_a_file_is_another_import(store: Source, tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("card,item\nL1,T1\n")
    common = ("--source", store.name, "--set", "type=page")
    assert "0 kept, 0 already there, 1 refused" in run(
        "import_events", str(path), *common, "--map", "item=properties.sku"
    )
    assert "1 kept" in run("import_events", str(path), *common, "--map", "card=id.loyalty_card")


def test_parquet(store: Source, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    table = {
        "ids": ['{"loyalty": ["L1"], "email": ["a@b.co"]}', "{}"],
        "at": [1_735_689_919, 1_735_689_920],
    }
    pq.write_table(pa.table(table), path)
    out = run(
        "import_events",
        str(path),
        "--source",
        store.name,
        "--map",
        "ids=ids",
        "--map",
        "at=timestamp",
        "--set",
        "type=page",
    )
    assert "2 rows: 1 kept, 0 already there, 1 refused" in out


def test_interrupted_it_goes_on_where_it_stopped(store: Source, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(
        "".join(json.dumps({"type": "page", "userId": f"u{n}"}) + "\n" for n in range(2500))
    )
    row = pipeline.start_import(store, files.fingerprint(path))

    class Killed(Exception):
        pass

    def killed(done: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        pipeline.import_events(row, files.rows(path), killed)
    assert Event.objects.count() == 1000
    out = run("import_events", str(path), "--source", store.name)
    assert "going on after 1000 rows" in out
    assert "2500 rows: 2500 kept" in out
    assert Event.objects.count() == 2500
    again = run("import_events", str(path), "--source", store.name)
    assert Event.objects.count() == 2500 and ImportRun.objects.count() == 1, again


def test_the_same_rows_in_another_file_are_new_but_the_same_file_is_not(
    store: Source, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    line = json.dumps({"type": "page", "userId": "u", "messageId": "m"}) + "\n"
    first.write_text(line)
    second.write_text(line * 2)
    run("import_events", str(first), "--source", store.name)
    assert "0 kept, 2 already there" in run("import_events", str(second), "--source", store.name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.csv", "--source", "x"], "no_such_file"),
        (["Makefile", "--source", "x"], "unknown_format"),
        (["schema.graphql", "--source", "x"], "unknown_format"),
    ],
)
def test_bad_arguments_are_said_in_one_line(
    arguments: list[str], said: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(settings.BASE_DIR)
    with pytest.raises(CommandError, match=said):
        run("import_events", *arguments)


def test_an_unknown_source_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("{}\n")
    with pytest.raises(CommandError, match="no_such_source"):
        run("import_events", str(path), "--source", "nobody")


def test_products_from_csv_with_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("code,title,price\nA,Pan,9.90\n,Nameless,1\nB,Pot,cheap\nC,Lid\nD,Wok,5\n")
    out = run("import_products", str(path), "--map", "code=sku")
    assert "2 products kept, 3 rows refused" in out
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["A", "D"]


def test_a_picture_of_another_length_refuses_its_row_alone(db: None, tmp_path: Path) -> None:
    path = tmp_path / "products.jsonl"
    rows = [{"sku": "a", "image_vector": [1, 2]}, {"sku": "b", "image_vector": [1, 2, 3]}, {"sku": "c"}]  # fmt: skip
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert "2 products kept, 1 rows refused" in run("import_products", str(path))
    assert [row.product.sku for row in ProductImage.objects.all()] == ["a"]
    path.write_text(json.dumps({"sku": "b", "image_vector": [1, 2, 3]}))
    assert "0 products kept, 1 rows refused" in run("import_products", str(path))
    assert "1 products kept, 0 rows refused" in run(
        "import_products", str(path), "--replace-pictures"
    )
    assert [row.product.sku for row in ProductImage.objects.all()] == ["b"]
