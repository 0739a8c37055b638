"""What teaching the text encoder brings: the text profile before and after, on a shop's own split.

python bench/text.py --data FOLDER [--steps N] [--json OUT]

FOLDER as for bench/recommend.py, with texts. The encoder learns from what is learned from; what is
asked for is seen once before and once after.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.machine import set_up, show
from bench.recommend import asking, folder_of, read


def main() -> None:
    parser = asking(__doc__)
    parser.add_argument("--steps", type=int, default=300, help="batches to learn from (300)")
    options = parser.parse_args()
    if options.steps < 4:
        parser.error("--steps: 4 or more")
    folder = folder_of(options.data)
    set_up("recommend")
    split, texts = read(folder)
    if texts is None:
        sys.exit(f"--data: {folder} holds no texts")
    rows = _rows(split, texts, options.steps)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    show(f"text encoder: {folder.name}", rows, None)


def _rows(split: Any, texts: list[str], steps: int) -> list[dict[str, Any]]:
    from django.conf import settings

    from graph_ml.text import encoder
    from graph_ml.text_training import TextSettings, teach, vectors_of

    tokenizer, model = encoder(settings.TEXT_ENCODER)
    before = vectors_of(tokenizer, model, texts)
    started = time.monotonic()
    taught = teach(
        tokenizer, model, texts, split, lambda line: print(f"  {line}", file=sys.stderr, flush=True),
        TextSettings(steps=steps),
    )  # fmt: skip
    seconds = time.monotonic() - started
    after = vectors_of(tokenizer, taught.model, texts)
    return [_row("as it comes", before, split, 0.0), _row("taught", after, split, seconds)]


def _row(name: str, vectors: Any, split: Any, seconds: float) -> dict[str, Any]:
    from graph_ml.metrics import interval, mean
    from graph_ml.quality import by_warmth
    from graph_ml.text_training import profile_judged

    found = profile_judged(vectors, split)
    row: dict[str, Any] = {"encoder": name}
    row["recall@20"], row["ndcg@20"] = mean(found.recall()), mean(found.ndcg())
    row |= by_warmth(found, split)
    row["recall@20 95 %"] = "{:.4f} to {:.4f}".format(*interval(found.recall()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return row | {"seconds": seconds, "peak_mb": peak}


if __name__ == "__main__":
    main()
