"""Fit and judge the models of one run, each with what it cost, and keep a row of each."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from cdp import artifacts
from cdp.domain.slates import Ranker
from cdp.errors import CDPError
from cdp.models import Artifact, ArtifactStatus, Snapshot
from cdp.selectors.slates import serving_artifact
from graph_ml import dataset
from graph_ml.dataset import Split
from graph_ml.device import choose, describe
from graph_ml.distributed import fit
from graph_ml.metrics import Judged, Scores, judged
from graph_ml.models.contract import ProductFeatures, Recommender
from graph_ml.quality import Quality, figures, groups_of, quality

Say = Callable[[str], None]


@dataclass(frozen=True)
class Fitted:
    """A model fitted on a split, what it showed those who were asked, and what that cost."""

    model: Recommender
    judged: Judged
    figures: dict[str, float]
    seconds: float
    cost: dict[str, float]


@dataclass(frozen=True)
class Measured:
    row: Artifact
    quality: Quality


class Measuring:
    """What the models of one run share: the snapshot, the question, and what is known of products."""

    def __init__(
        self,
        taken: Snapshot,
        past: Split,
        known: ProductFeatures,
        data: dataset.Interactions,
        say: Say,
    ) -> None:
        self.taken, self.past, self.known, self.data, self.say = taken, past, known, data, say
        self.groups = groups_of(past, data)

    def fitted(self, model: Recommender, split: Split) -> Fitted:
        """The model fitted on the split, and judged by what came after."""
        started, worked = time.monotonic(), time.process_time()
        fit(model, split, self.known, lambda line: self.say(f"  {model.name}: {line}"))
        found = judged(lambda batch: model.scores([split.histories[n] for n in batch]), split)
        seconds, worked = time.monotonic() - started, time.process_time() - worked
        groups = self.groups if split is self.past else groups_of(split, self.data)
        told = figures(found, split, groups, self.known.text)
        shown = "  ".join(f"{name} {told[name]:.4f}" for name in ("recall@20", "ndcg@20", "coverage@20"))  # fmt: skip
        self.say(f"{model.name}: {shown}  ({seconds:.1f} s)")
        return Fitted(model, found, told, seconds, cost(worked))

    def measure(self, model: Recommender) -> Measured:
        """Fit on the past, judge on what came after, keep the figures and what was learned."""
        found = self.fitted(model, self.past)
        row = self._row(found, found.figures, ArtifactStatus.MEASURED, "")
        row.path = str(artifacts.folder(row.pk))
        artifacts.save(Ranker(self.past.skus, model.voice()), Path(row.path) / "judged.npz")
        row.save(update_fields=["path"])
        return Measured(row, quality(found.judged, self.past, self.groups))

    def validated(self, found: Fitted, reason: str) -> Artifact:
        """A row for a model that ended on the validation part."""
        told = {f"validation {key}": value for key, value in found.figures.items()}
        return self._row(found, told, ArtifactStatus.REFUSED, reason)

    def serving(self) -> Quality | None:
        """What serves now, judged on the same question by what it had learned when it was judged."""
        serving = serving_artifact()
        if serving is None:
            return None
        try:
            ranker = artifacts.load(Path(serving.path) / "judged.npz")
        except CDPError as error:
            self.say(f"{error}: what serves cannot be judged, the baselines alone are the bar")
            return None
        asked = _Elsewhere(ranker, self.past)
        return quality(judged(asked.scores, self.past), self.past, self.groups)

    def _row(self, found: Fitted, told: dict[str, float], status: ArtifactStatus, reason: str) -> Artifact:  # fmt: skip
        model: Any = found.model
        return Artifact.objects.create(
            snapshot=self.taken, model=model.name, parameters=model.parameters_used, metrics=told,
            curve=getattr(model, "curve", []), cost=found.cost, device=describe(choose()),
            seconds=found.seconds, status=status, reason=reason,
        )  # fmt: skip


def cost(cpu_seconds: float) -> dict[str, float]:
    """Energy is what the processor's share would have drawn: seconds of a core times its watts."""
    return {
        "cpu_seconds": round(cpu_seconds, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "energy_wh": round(cpu_seconds * settings.WATTS_PER_CORE / 3600, 6),
    }


class _Elsewhere:
    """An artifact's scores for a data set whose products are not quite the same: products that the
    artifact does not know are never shown."""

    def __init__(self, ranker: Ranker, data: Split) -> None:
        self.ranker, self.data = ranker, data
        self.place = np.array([ranker.index.get(sku, -1) for sku in data.skus], dtype=np.int64)

    def scores(self, customers: list[int]) -> Scores:
        histories = [
            [
                touch._replace(product=int(self.place[touch.product]))
                for touch in self.data.histories[customer]
                if self.place[touch.product] >= 0
            ]
            for customer in customers
        ]
        own = self.ranker.voice.scores(histories)
        found = np.where(self.place[None, :] >= 0, own[:, self.place], -np.inf)
        return found.astype(np.float32)
