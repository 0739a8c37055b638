"""How true the reasons are, and what variety costs, on a shop's own split.

python bench/explain.py --data FOLDER [--customers N] [--json OUT]

FOLDER as for bench/recommend.py. Faithfulness: of each place of a slate the touch that is named is
taken out of the history, and another touch beside it; where the reason is true, the product's score
falls more for the first. Variety: recall, ndcg and how unlike products are by slates' diversity and
exploration.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.machine import set_up, show
from bench.recommend import asking, features_of, folder_of, read

PLACES = 10
TRIED = (
    (0.0, 0.0),
    (0.05, 0.0),
    (0.1, 0.0),
    (0.2, 0.0),
    (0.3, 0.0),
    (0.5, 0.0),
    (0.0, 0.1),
    (0.1, 0.1),
)


def main() -> None:
    parser = asking(__doc__)
    parser.add_argument("--customers", type=int, default=300, help="whose reasons are tried (300)")
    options = parser.parse_args()
    folder = folder_of(options.data)
    set_up("recommend")
    split, texts = read(folder)
    ranker, text = _fitted(split, texts)
    faithful = _faithfulness(ranker, split, options.customers)
    varied = _variety(ranker, split, text)
    if options.json:
        options.json.write_text(json.dumps({"faithfulness": faithful, "variety": varied}, indent=1))
    show(f"reasons: {folder.name}", faithful, None)
    show(f"variety: {folder.name}", varied, None)


def _fitted(split: Any, texts: list[str] | None) -> Any:
    from cdp.domain.slates import Ranker
    from graph_ml.models.fusion import Fusion

    model, known = Fusion(), features_of(len(split.skus), texts)
    model.fit(split, known, lambda line: print(f"  {line}", file=sys.stderr, flush=True))
    return Ranker(split.skus, model.voice()), known.text


def _faithfulness(ranker: Any, split: Any, customers: int) -> list[dict[str, Any]]:
    """Of the places whose reason is a touch: how often taking it out lowers the product's score, and
    its rank, and the same for another touch of the history drawn by lot."""
    import numpy as np

    from cdp.domain.slates import slates

    dice = np.random.default_rng(7)
    asked = [n for n in sorted(split.targets) if len(split.had(n)) > 1][:customers]
    histories = [split.histories[n] for n in asked]
    fell: dict[str, list[bool]] = {"the named touch": [], "another touch": []}
    ranks: dict[str, list[int]] = {name: [] for name in fell}
    for history, slate in zip(histories, slates(ranker, histories, PLACES), strict=True):
        before = ranker.mixture.scores([history])[0]
        touched = sorted({touch.product for touch in history})
        named = {item["sku"]: ranker.index[item["reason"]["sku"]] for item in slate if item["reason"]["kind"] == "touch"}  # fmt: skip
        for sku, product in named.items():
            place = ranker.index[sku]
            others = [one for one in touched if one != product]
            for name, gone in zip(fell, (product, int(dice.choice(others))), strict=True):
                after = ranker.mixture.scores([[t for t in history if t.product != gone]])[0]
                fell[name].append(bool(after[place] < before[place]))
                ranks[name].append(
                    int((after > after[place]).sum() - (before > before[place]).sum())
                )
    return [
        {"taken out": name, "places": len(fell[name]), "score falls": float(np.mean(fell[name])),
         "ranks lost, median": float(np.median(ranks[name])), "ranks lost, mean": float(np.mean(ranks[name]))}
        for name in fell
    ]  # fmt: skip


def _variety(ranker: Any, split: Any, text: Any) -> list[dict[str, Any]]:
    import numpy as np

    from cdp.domain.slates import SLATE, places
    from cdp.domain.variety import Variety
    from graph_ml.metrics import BATCH, Judged, mean
    from graph_ml.quality import diversity

    asked = sorted(split.targets)[:: max(1, len(split.targets) // 3000)]
    near = ranker.space
    tops: dict[tuple[float, float], list[Any]] = {tried: [] for tried in TRIED}
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        totals = ranker.mixture.scores([split.histories[n] for n in part])
        for n, total in zip(part, totals, strict=True):
            for tried, kept in tops.items():
                shown, _ = places(
                    ranker, split.histories[n], total, split.had(n), SLATE, Variety(*tried)
                )
                kept.append(shown[:20])
    rows = []
    wanted = [split.targets[n] for n in asked]
    sizes = np.array([len(one) for one in wanted])
    for (weight, share), top in tops.items():
        hits = np.array(
            [[p in w for p in row.tolist()] for w, row in zip(wanted, top, strict=True)]
        )
        found = Judged(asked, np.array(top), hits, sizes)
        row = {"diversity": weight, "exploration": share, "customers": len(asked), "recall@20": mean(found.recall()),
               "ndcg@20": mean(found.ndcg()), "recall@10": mean(found.recall(10)),
               "unlike in the list": diversity(found, near.vectors) if near else None}  # fmt: skip
        if text.any():
            row["unlike by words"] = diversity(found, text)
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
