"""Our record matcher and Splink by itself on one file with known truth, in one table."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Scored = list[tuple[float, int, int]]
THRESHOLDS = [-12.0, -10.0, -8.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 14.0]  # fmt: skip
DEFAULT = 0.0


def measure(
    files: Sequence[Path], truth: str, columns: Mapping[str, str]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of the table, and the figures for machines (the best over thresholds on both sides)."""
    from bench import splink_peer
    from cdp.domain.matching.clustering import connected

    rows = read(files)
    if truth not in rows[0]:
        sys.exit(f"no column {truth}; there are {', '.join(rows[0])}")
    kinds = _kinds(rows[0], truth, columns)
    people = [str(row[truth]) for row in rows]
    from cdp.domain.matching.fields import cleaned

    records = [{name: cleaned(kind, row[name]) for name, kind in kinds.items()} for row in rows]
    print(f"{len(records)} records; " + ", ".join(f"{n}={k}" for n, k in kinds.items()))
    table: list[dict[str, Any]] = []
    started = time.monotonic()
    ours, blocked = _ours(records, kinds, people)
    figures = {"records": len(records), **ours, "seconds": time.monotonic() - started}
    table.append({"matcher": "unison", **figures, "blocking recall": blocked})
    started = time.monotonic()
    scored = splink_peer.run(records, kinds)
    count = range(len(records))

    def clusters(kept: Scored, _: float) -> list[int]:
        groups = connected([(a, b) for _, a, b in kept], count)
        return [_root(groups, n) for n in count]

    peer = _best(scored, people, clusters) | {"seconds": time.monotonic() - started}
    table.append({"matcher": "splink", "records": len(records), **peer})
    return table, figures | {"splink": peer}


def _ours(
    records: list[dict[str, str | None]], kinds: Mapping[str, str], people: list[str]
) -> tuple[dict[str, float], float]:
    from cdp.domain.matching import blocking
    from cdp.domain.matching.clustering import guarded
    from cdp.domain.matching.fields import derived
    from cdp.matching.training import train

    weights = train(records, kinds, lambda line: print(f"  {line}")).weights
    full = [derived(record, weights.kinds) for record in records]
    keyed = ((n, blocking.keys(record, weights.kinds)) for n, record in enumerate(full))
    pairs = blocking.pairs(blocking.blocks(keyed))
    scored = [(weights.weight(full[a], full[b]), a, b) for a, b in pairs]

    def clusters(kept: Scored, threshold: float) -> list[int]:
        groups = guarded(
            kept, range(len(full)), lambda a, b: weights.weight(full[a], full[b]), threshold
        )
        return [groups[n] for n in range(len(full))]

    true_pairs = sum(n * (n - 1) // 2 for n in Counter(people).values())
    found = sum(people[a] == people[b] for a, b in pairs)
    return _best(scored, people, clusters), found / max(1, true_pairs)


def _best(scored: Scored, people: list[str], clusters: Any) -> dict[str, float]:
    """Edge F1, cluster pair-F1 and B-cubed F1, each at the threshold that suits it best; and all
    three at the threshold that a trained model uses before anybody has labelled a pair."""
    best: dict[str, float] = {
        "edge_f1": _best_edge(scored, people),
        "cluster_f1": 0.0,
        "b_cubed": 0.0,
    }
    for threshold in THRESHOLDS:
        kept = [pair for pair in scored if pair[0] >= threshold]
        groups = clusters(kept, threshold)
        _, _, f1 = pair_f1(groups, people)
        cubed = b_cubed(groups, people)
        if threshold == DEFAULT:
            best |= {"cluster_f1_default": f1, "b_cubed_default": cubed}
        best["cluster_f1"] = max(best["cluster_f1"], f1)
        best["b_cubed"] = max(best["b_cubed"], cubed)
    return best


def _best_edge(scored: Scored, people: list[str]) -> float:
    """The best F1 of single pairs over all thresholds; lost true pairs count as missed."""
    true_pairs = sum(n * (n - 1) // 2 for n in Counter(people).values())
    best, right = 0.0, 0
    ordered = sorted(scored, reverse=True)
    for n, (weight, a, b) in enumerate(ordered, 1):
        right += people[a] == people[b]
        if n == len(ordered) or ordered[n][0] != weight:
            best = max(best, 2 * right / (n + true_pairs))
    return best


def pair_f1(groups: Sequence[Any], people: Sequence[Any]) -> tuple[float, float, float]:
    """Precision, recall and F1 over pairs of records in one group."""
    right, joined, true = (
        sum(n * (n - 1) // 2 for n in Counter(c).values())
        for c in (zip(groups, people, strict=True), groups, people)
    )
    precision, recall = right / max(1, joined), right / max(1, true)
    return precision, recall, 2 * right / max(1, joined + true)


def b_cubed(groups: Sequence[Any], people: Sequence[Any]) -> float:
    """F1 of B-cubed precision and recall (Bagga & Baldwin 1998), over records."""
    cells = Counter(zip(groups, people, strict=True))
    sizes, persons = Counter(groups), Counter(people)
    precision = sum(n * n / sizes[g] for (g, _), n in cells.items()) / len(groups)
    recall = sum(n * n / persons[p] for (_, p), n in cells.items()) / len(groups)
    return 2 * precision * recall / (precision + recall)


def _root(groups: Mapping[int, int], one: int) -> int:
    while groups[one] != one:
        one = groups[one]
    return one


def read(files: Sequence[Path]) -> list[dict[str, Any]]:
    import pyarrow.csv
    import pyarrow.parquet

    rows: list[dict[str, Any]] = []
    for path in files:
        if not path.is_file():
            sys.exit(f"{path} is not a file")
        read = pyarrow.csv.read_csv if path.suffix == ".csv" else pyarrow.parquet.read_table
        rows += read(path).to_pylist()
    if not rows:
        sys.exit("no records")
    return rows


def _kinds(row: Mapping[str, Any], truth: str, columns: Mapping[str, str]) -> dict[str, str]:
    """What was said of the columns; else what their names suggest, a kind for one column only."""
    from cdp.domain.matching.fields import FIELD_KINDS, guess

    for name, kind in columns.items():
        if name not in row:
            sys.exit(f"no column {name}; there are {', '.join(row)}")
        if kind not in FIELD_KINDS:
            sys.exit(f"{name}: unknown kind {kind}; known are {', '.join(FIELD_KINDS)}")
    if columns:
        return dict(columns)
    found: dict[str, str] = {}
    for name in row:
        kind = guess(name)
        if name != truth and kind and kind not in found.values():
            found[name] = kind
    if {"given_name", "surname"} <= set(found.values()):
        found = {name: kind for name, kind in found.items() if kind != "full_name"}
    if not found:
        sys.exit("no column's name suggests a kind: name them with --columns COLUMN=KIND,…")
    return found
