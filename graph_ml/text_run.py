"""One run of ``manage.py train text``: teach the encoder, judge it on held-out time, keep it if better."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from django.conf import settings

from cdp.draining import only_one
from cdp.errors import CDPError
from cdp.models import Artifact, ArtifactStatus, Product, Snapshot
from graph_ml import dataset, features, snapshot
from graph_ml.checkpoints import kept_in
from graph_ml.dataset import Query, Split
from graph_ml.device import choose, describe
from graph_ml.measuring import cost
from graph_ml.metrics import Judged, mean
from graph_ml.promotion import decide
from graph_ml.quality import groups_of, quality
from graph_ml.run import LEARNING_LOCK
from graph_ml.text import encoder
from graph_ml.text_training import (
    Floats,
    Taught,
    TextSettings,
    found_by_queries,
    profile_judged,
    teach,
    vectors_of,
)

Say = Callable[[str], None]
TOLERANCE = 0.02  # of the share of queries that find their product


@dataclass(frozen=True)
class TextResult:
    """The row of a run, and the figures before and after on held-out time."""

    row: Artifact
    before: dict[str, float]
    after: dict[str, float]


def learn_text(say: Say, asked: TextSettings | None = None, *, afresh: bool = False) -> TextResult:
    """Teach the encoder that the settings name; it is kept in a folder of its own and begins to serve
    when ``UNISON_TEXT_ENCODER`` names that folder. A run that was killed is gone on with where the
    events are still the same, unless ``afresh``.

    Raises:
        CDPError: ``learning_busy`` (retryable), ``graph_unavailable``, ``empty_graph``,
            ``nothing_to_learn``, ``encoder_missing``.
    """
    with only_one(LEARNING_LOCK) as alone:
        if not alone:
            raise CDPError("learning_busy", "another learning run is going on", retryable=True)
        if afresh:
            rmtree(_states(), ignore_errors=True)
        say("snapshot: reading the interaction graph")
        taken = snapshot.take(lambda rows: say(f"  {rows} interactions"))
        Snapshot.objects.filter(pk=taken.pk).update(
            finished_at=taken.created_at
        )  # nothing to resume
        found = _learn(say, taken, asked or TextSettings())
        rmtree(_states(), ignore_errors=True)
        return found


def _states() -> Path:
    return Path(settings.ARTIFACTS) / "runs" / "text"


def _learn(say: Say, taken: Snapshot, asked: TextSettings) -> TextResult:
    data = dataset.load(snapshot.verify(taken), list(Product.objects.values_list("sku", flat=True)))
    _, test = dataset.boundaries(data)
    past = dataset.without_leak(dataset.split(data, test), test)
    later = [query for query in data.queries if query.at >= test]
    texts = features.texts_of(data.skus)
    say(f"split by time: {len(past.targets)} customers and {len(later)} queries to judge by")
    tokenizer, model = encoder(settings.TEXT_ENCODER)
    started, worked = time.monotonic(), time.process_time()
    with kept_in(_states()):
        taught = teach(tokenizer, model, texts, past, say, asked)
    spent = time.monotonic() - started, time.process_time() - worked
    before = _Judging(tokenizer, model, vectors_of(tokenizer, model, texts), past, later)
    after = _Judging(
        tokenizer, taught.model, vectors_of(tokenizer, taught.model, texts), past, later
    )
    reasons = _reasons(before, after, past, data, taught)
    row = _row(taken, asked, taught, before, after, spent)
    row.reason = "; ".join(reasons) or "better than the encoder it was taught from"
    if not reasons:
        row.status, row.path = ArtifactStatus.MEASURED, str(_keep(row.pk, tokenizer, taught))
    row.save(update_fields=["reason", "status", "path"])
    return TextResult(row, before.figures, after.figures)


class _Judging:
    """One encoder's figures on held-out time."""

    def __init__(
        self, tokenizer: Any, model: Any, vectors: Floats, past: Split, later: list[Query]
    ) -> None:
        self.shown: Judged = profile_judged(vectors, past)
        self.queries = found_by_queries(tokenizer, model, vectors, later)
        self.figures = {
            "recall@20": mean(self.shown.recall()), "ndcg@20": mean(self.shown.ndcg()),
            "customers": float(len(self.shown.customers)), "queries": float(len(later)),
            "queries found@10": self.queries,
        }  # fmt: skip


def _reasons(
    before: _Judging, after: _Judging, past: Split, data: dataset.Interactions, taught: Taught
) -> list[str]:
    """Why it is not kept; none where it may."""
    if not taught.better:
        return ["no round was better on the validation part than the encoder as it came"]
    groups = groups_of(past, data)
    decision = decide(
        quality(after.shown, past, groups), {"the present encoder": quality(before.shown, past, groups)}, None
    )  # fmt: skip
    reasons = [] if decision.promoted else [decision.reason]
    if after.queries < (1 - TOLERANCE) * before.queries:
        reasons.append(f"queries that find their product fall from {before.queries:.4f} to {after.queries:.4f}")  # fmt: skip
    return reasons


def _row(
    taken: Snapshot,
    asked: TextSettings,
    taught: Taught,
    before: _Judging,
    after: _Judging,
    spent: tuple[float, float],
) -> Artifact:
    was = {f"before {name}": value for name, value in before.figures.items()}
    seconds, worked = spent
    return Artifact.objects.create(
        snapshot=taken, model="text encoder", device=describe(choose()), seconds=seconds,
        parameters=asdict(asked) | {"from": settings.TEXT_ENCODER}, metrics=after.figures | was,
        curve=taught.curve, status=ArtifactStatus.REFUSED,
        cost=cost(worked),
    )  # fmt: skip


def _keep(number: int, tokenizer: Any, taught: Taught) -> Path:
    """The encoder as a folder that the settings may name; whole or not there. Its name holds what its
    weights are: vectors are kept by the encoder's name."""
    partial = Path(settings.ARTIFACTS) / "encoders" / f"{number:06}.partial"
    model: Any = taught.model
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    with (partial / "model.safetensors").open("rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()[:8]
    final = partial.with_name(f"{number:06}-{weights}")
    if final.exists():  # the same weights under the same number: the database began anew
        rmtree(partial)
    else:
        partial.rename(final)
    return final
