"""The node classifier: on the sample, on a planted table, and on tables that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from cdp.errors import CDPError
from graph_ml.nodes import Table, classify, read

SAMPLE = Path(__file__).parents[2] / "graph_ml" / "samples" / "user_data.csv"


def test_the_sample_is_classified_beside_a_logistic_regression() -> None:
    said: list[str] = []
    table = read(SAMPLE)
    assert (table.features.shape, table.classes) == ((600, 3), ["0", "1"])
    found = classify(table, said.append)
    assert found.held_out == 120
    assert found.gcn > found.logistic_regression > found.majority
    assert said[0] == "device: cpu" or "NVIDIA" in said[0]
    assert len(said) == 21 and said[-1].startswith("epoch 200/200 on ")


def test_it_finds_planted_groups_that_no_line_parts() -> None:
    """A ring around a blob: a line does no better than chance."""
    dice = np.random.default_rng(2)
    inside = dice.normal(0, 0.3, (150, 2))
    turn = dice.uniform(0, 2 * np.pi, 150)
    ring = np.column_stack([np.cos(turn), np.sin(turn)]) * 3 + dice.normal(0, 0.1, (150, 2))
    labels = np.repeat([0, 1], 150)
    found = classify(Table(np.vstack([inside, ring]), labels, ["in", "out"]), lambda line: None)
    assert found.gcn == 1.0 and found.logistic_regression < 0.8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,label\n1,x\n", "bad_table: .* has no column feature1"),
        ("feature1\n1\n", "bad_table: .* has no column label"),
        ("feature1,label\n1,x\nnan,y\n", "line 3: feature1 is no finite number"),
        ("feature1,label\n1,x\n,y\n", "line 3: feature1 is no finite number"),
        ("feature1,label\nred,x\n2,y\n", "feature1 holds something that is no number"),
        ("feature1,label\n1,x\n2,x\n", "5 rows of each of two labels are needed; there are x: 2"),
        ("feature1,label\n1,\n", "line 2 has no label"),
        ("", "bad_table"),
    ],
)
def test_a_wrong_table_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(CDPError, match=message):
        read(path)


def test_the_command_names_what_it_does_not_know() -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv is not there"):
        call_command("train", "gcn", "--csv", "nowhere.csv")
    with pytest.raises(CommandError, match="unknown model gnc; known: graph-filter"):
        call_command("train", "gnc")
    with pytest.raises(CommandError, match="--csv: only for gcn"):
        call_command("train", "lightgcn", "--csv", "x.csv")
