"""Full-ranking quality of every recommender on a shop's data, beside a peer.

python bench/recommend.py --data FOLDER --json OUT [--models NAME,…]

FOLDER holds Parquet files in one of the shapes that bench/shops.py names; ``completejourney`` is the
grocer's year of the installed package. Every model runs in a process of its own, so that its time
(settings chosen, learned, asked) and its peak memory are its own. Settings are chosen on a part of
what is learned from; what is asked for is seen once, at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.machine import ROOT, SHARED, set_up, show

OURS = "ours"
MODELS = ("popularity", "item-knn", "implicit ALS", "graph-filter", "random-walk", "regression", "signals", "alike",
          "transitions", "text", "lightgcn", OURS)  # fmt: skip
BARRED = "purchases alone"
READING = ("graph-filter", "text", OURS)


def main() -> None:
    parser = asking(__doc__)
    parser.add_argument("--models", help=f"some of: {', '.join(MODELS)}")
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = folder_of(options.data)
    set_up("recommend")
    if options.fit:
        print(json.dumps(_fit(folder, options.fit)), flush=True)
        return
    names = options.models.split(",") if options.models else list(MODELS)
    if unknown := sorted(set(names) - set(MODELS)):
        parser.error(f"unknown model {', '.join(unknown)}; known: {', '.join(MODELS)}")
    split, texts = read(folder)
    print(f"{folder.name}: {len(split.customers)} customers, {len(split.skus)} products, "
          f"{split.matrix.nnz} pairs, {len(split.targets)} customers asked", flush=True)  # fmt: skip
    if not split.targets:
        sys.exit(f"--data: nobody in {folder} has anything new to be asked for")
    if texts is None:
        names = [name for name in names if name != "text"]
    if OURS in names and {touch.verb for history in split.histories for touch in history} > {
        "purchased"
    }:
        names.append(f"{OURS}, {BARRED}")
    rows = [row for name in names if (row := _in_a_process(options.data, name))]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    seen = [{key: value for key, value in row.items() if key != "settings"} for row in rows]
    show(f"recommendation: {folder.name}", seen, None)
    if len(rows) < len(names):
        sys.exit(1)


def asking(description: str | None) -> argparse.ArgumentParser:
    """What every bench on a shop's data asks for: the data, and where rows go as JSON."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="a folder, a set under ../shared/data/shop, or completejourney")  # fmt: skip
    parser.add_argument("--json", type=Path)
    return parser


def folder_of(data: str) -> Path:
    path = Path(data)
    if path.is_dir() or data == "completejourney":
        return path
    named = SHARED / "data" / "shop" / data
    if named.is_dir():
        return named
    if not SHARED.is_dir():
        sys.exit(f"skipped: no ../shared, and {data} is not a folder")
    sys.exit(f"{data} is neither a folder nor a set under {named.parent}")


def read(folder: Path) -> Any:
    from bench import shops

    try:
        return shops.grocer() if folder.name == "completejourney" else shops.read(folder)
    except shops.UnknownShape as error:
        sys.exit(f"--data: {error}")


def _in_a_process(data: str, name: str) -> dict[str, Any] | None:
    place = data if data == "completejourney" else str(folder_of(data).resolve())
    command = [sys.executable, __file__, "--data", place, "--fit", name]
    # implicit brings threads of its own, and says that BLAS must not bring others.
    threads = {"OPENBLAS_NUM_THREADS": "1"} if name == "implicit ALS" else {}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | threads
    )
    if done.returncode:
        print(f"{name}: failed with status {done.returncode}", file=sys.stderr)
        return None
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{name}: recall@20 {row['recall@20']:.4f}  ndcg@20 {row['ndcg@20']:.4f}  "
          f"{row['seconds']:.0f} s  {row['peak_mb']:.0f} MB", flush=True)  # fmt: skip
    return row


def _fit(folder: Path, name: str) -> dict[str, Any]:
    from graph_ml.metrics import interval, judged, mean
    from graph_ml.quality import by_warmth

    split, texts = read(folder)
    # What is judged stays the same: what was only looked at is no answer either way.
    learned = _purchases_alone(split) if name.endswith(BARRED) else split
    model = _model(name.partition(",")[0])
    started = time.monotonic()
    heard = texts if name.startswith(READING) else None
    known = features_of(len(split.skus), heard)
    model.fit(learned, known, lambda line: print(f"  {name}: {line}", file=sys.stderr, flush=True))

    def scores(batch: list[int]) -> Any:
        return model.scores([learned.histories[customer] for customer in batch])

    found = judged(scores, split)
    seconds = time.monotonic() - started
    row: dict[str, Any] = {"model": name}
    row["recall@20"], row["ndcg@20"] = mean(found.recall()), mean(found.ndcg())
    row["recall@10"] = mean(found.recall(10))
    for name, value in by_warmth(found, split).items():
        row[name] = value
    row["recall@20 95 %"] = "{:.4f} to {:.4f}".format(*interval(found.recall()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return row | {
        "seconds": seconds,
        "peak_mb": peak,
        "settings": model.parameters_used,
    }


def features_of(products: int, texts: list[str] | None) -> Any:
    import numpy as np

    from graph_ml.models.contract import ProductFeatures
    from graph_ml.text import encode

    category = np.full(products, -1, dtype=np.int64)
    text = np.zeros((products, 1), np.float32) if texts is None else encode(texts)
    return ProductFeatures(text, category, 1)


def _purchases_alone(split: Any) -> Any:
    from dataclasses import replace

    from graph_ml.dataset import positive

    bought = [[t for t in history if t.verb == "purchased"] for history in split.histories]
    return replace(split, histories=bought, matrix=positive(bought, len(split.skus)))


def _model(name: str) -> Any:
    from bench.als_peer import ALS
    from graph_ml.models.alike import Alike
    from graph_ml.models.fusion import Fusion
    from graph_ml.models.graph_filter import GraphFilter
    from graph_ml.models.item_knn import ItemKNN
    from graph_ml.models.lightgcn import LightGCN
    from graph_ml.models.popularity import Popularity
    from graph_ml.models.random_walk import RandomWalk
    from graph_ml.models.regression import Regression
    from graph_ml.models.signals import Signals
    from graph_ml.models.text_profile import TextProfile
    from graph_ml.models.transitions import Transitions

    makers: dict[str, Any] = {
        "popularity": Popularity, "item-knn": ItemKNN, "implicit ALS": ALS,
        "graph-filter": GraphFilter, "random-walk": RandomWalk, "regression": Regression, "signals": Signals,
        "alike": Alike, "transitions": Transitions, "text": TextProfile, "lightgcn": LightGCN, OURS: Fusion,
    }  # fmt: skip
    return makers[name]()


if __name__ == "__main__":
    main()
