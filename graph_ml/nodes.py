"""Classify the rows of a table by their features and their nearest neighbours.

The graph joins every row with the ``NEIGHBOURS`` whose standardised features are nearest; a fifth of
the rows, evenly drawn from every label, is held out: it takes part in the graph, its labels do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import cross_entropy

from cdp.errors import CDPError
from graph_ml.device import choose, describe
from graph_ml.models.gcn import GCN

NEIGHBOURS = 10
HELD_OUT = 0.2
EPOCHS = 200
EVERY = 10
SEED = 7
FEATURE = re.compile(r"feature\d+")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Table:
    """``features`` (n, f) as they stand in the file; ``labels`` (n,) as indices of ``classes``."""

    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    classes: Sequence[str]


@dataclass(frozen=True)
class Accuracy:
    """Shares of the held-out rows that were labelled rightly; ``majority``: the commonest label."""

    gcn: float
    logistic_regression: float
    majority: float
    held_out: int


def read(path: Path) -> Table:
    """A CSV file with columns feature1, feature2, … and label.

    Raises:
        CDPError: ``bad_table`` naming the column and, where it is one row's fault, the line.
    """
    try:
        table = pa.csv.read_csv(path)
    except FileNotFoundError as error:
        raise CDPError("bad_table", f"{path} is not there", field="csv") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise CDPError("bad_table", f"{path}: {error}", field="csv") from error
    names = [name for name in table.column_names if FEATURE.fullmatch(name)]
    if not names:
        raise CDPError("bad_table", f"{path} has no column feature1, feature2, …", field="feature1")
    if "label" not in table.column_names:
        raise CDPError("bad_table", f"{path} has no column label", field="label")
    features = np.column_stack([_numbers(table[name], name) for name in names])
    said = [None if label == "" else label for label in table["label"].to_pylist()]
    if None in said:
        raise CDPError("bad_table", f"line {said.index(None) + 2} has no label", field="label")
    classes, labels = np.unique([str(label) for label in said], return_inverse=True)
    counts = np.bincount(labels)
    if len(classes) < 2 or counts.min() < 5:
        told = ", ".join(f"{name}: {n}" for name, n in zip(classes, counts, strict=True))
        raise CDPError("bad_table", f"5 rows of each of two labels are needed; there are {told or 'none'}", field="label")  # fmt: skip
    return Table(features, labels.astype(np.int64), [str(name) for name in classes])


def _numbers(column: Any, name: str) -> NDArray[np.float64]:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise CDPError("bad_table", f"{name} holds something that is no number", field=name)
    found: NDArray[np.float64] = column.to_numpy().astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        raise CDPError("bad_table", f"line {wrong[0] + 2}: {name} is no finite number", field=name)
    return found


def classify(table: Table, say: Say) -> Accuracy:
    """Train the network and the logistic regression on the same rows; judge both on the others."""
    torch.manual_seed(SEED)
    device = choose()
    say(f"device: {describe(device)}")
    rows = np.arange(len(table.labels))
    known, held = train_test_split(
        rows, test_size=HELD_OUT, stratify=table.labels, random_state=SEED
    )
    features = StandardScaler().fit_transform(table.features)
    inputs = torch.tensor(features, dtype=torch.float32, device=device)
    labels, edges = torch.tensor(table.labels, device=device), _edges(features).to(device)
    model = GCN(inputs.shape[1], len(table.classes)).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    for epoch in range(1, EPOCHS + 1):
        model.train()
        optimiser.zero_grad()
        loss = cross_entropy(model(inputs, edges)[known], labels[known])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if epoch % EVERY == 0:
            say(f"epoch {epoch}/{EPOCHS} on {device.type}: loss {loss.item():.4f}")
    model.eval()
    with torch.no_grad():
        found = model(inputs, edges).argmax(dim=1).cpu().numpy()
    simple = LogisticRegression(max_iter=1000).fit(features[known], table.labels[known])
    truth = table.labels[held]
    return Accuracy(
        float((found[held] == truth).mean()),
        float((simple.predict(features[held]) == truth).mean()),
        float((np.bincount(table.labels[known]).argmax() == truth).mean()),
        len(held),
    )


def _edges(features: NDArray[np.float64]) -> torch.Tensor:
    """Neighbours both ways (2, e)."""
    near = kneighbors_graph(features, min(NEIGHBOURS, len(features) - 1))
    both = (near + near.T).tocoo()
    return torch.from_numpy(np.stack([both.row, both.col]).astype(np.int64))
