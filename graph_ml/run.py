"""One learning run: snapshot, split, baselines, candidates, gate, publication."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdp.domain.ranking import ProductSpace
from cdp.draining import only_one
from cdp.errors import CDPError
from cdp.models import Artifact, ArtifactStatus, Product, Snapshot
from cdp.selectors.slates import serving_artifact
from cdp.stages import publish
from graph_ml import artifacts, dataset, features, inference, metrics, snapshot
from graph_ml.device import choose, describe
from graph_ml.models.contract import ProductFeatures, Recommender, space_scores
from graph_ml.models.graph_filter import GraphFilter
from graph_ml.models.graph_sage import GraphSAGE
from graph_ml.models.item_knn import ItemKNN
from graph_ml.models.lightgcn import LightGCN
from graph_ml.models.popularity import Popularity
from graph_ml.promotion import RECALL, decide

Say = Callable[[str], None]
LEARNING_LOCK = 7_301_002
BASELINES: dict[str, Callable[[], Recommender]] = {"popularity": Popularity, "item-knn": ItemKNN}
CANDIDATES: dict[str, Callable[[], Recommender]] = {
    "graph-filter": GraphFilter,
    "lightgcn": LightGCN,
    "graphsage": GraphSAGE,
}


@dataclass(frozen=True)
class Result:
    """The table of one run, and the artifact that serves after it (None: nothing passed)."""

    rows: list[Artifact]
    serving: Artifact | None


def learn(say: Say, models: list[str] | None = None) -> Result:
    """Run the whole of learning once, one run at a time.

    Raises:
        CDPError: ``learning_busy`` (retryable), ``graph_unavailable``, ``empty_graph``, ``nothing_to_learn``, ``encoder_missing``.
    """
    with only_one(LEARNING_LOCK) as alone:
        if not alone:
            raise CDPError("learning_busy", "another learning run is going on", retryable=True)
        return _learn(say, models)


def _learn(say: Say, models: list[str] | None) -> Result:
    say("snapshot: reading the interaction graph")
    taken = snapshot.take()
    say(f"snapshot {taken.pk}: {taken.customers} customers, {taken.products} products, "
        f"{taken.interactions} interactions")  # fmt: skip
    catalogue = list(Product.objects.values_list("sku", flat=True))
    data = dataset.load(snapshot.verify(taken), catalogue)
    say("text: BERT vectors of the product texts")
    known = features.build(data.skus)
    validation, test = dataset.boundaries(data)
    past = dataset.split(data, test)
    say(f"split by time: {len(past.targets)} customers have something new after the split")
    run = _Run(taken, past, known, say)
    name, left = run.choose(models or list(CANDIDATES), data, validation, test)
    baselines = {name: run.measure(make()) for name, make in BASELINES.items()}
    chosen = run.measure(CANDIDATES[name]())
    table = {name: row.metrics for name, row in baselines.items()}
    decision = decide(chosen.metrics, table, run.serving_metrics())
    say(f"gate: {name} {'passes' if decision.promoted else 'is refused'}: {decision.reason}")
    chosen.reason = decision.reason
    chosen.status = ArtifactStatus.MEASURED if decision.promoted else ArtifactStatus.REFUSED
    chosen.save(update_fields=["status", "reason"])
    if decision.promoted:
        run.put_in_service(chosen, dataset.everything(data), say)
    return Result([*baselines.values(), *left, chosen], serving_artifact())


class _Run:
    """What the models of one run share."""

    def __init__(
        self, taken: Snapshot, past: dataset.Split, known: ProductFeatures, say: Say
    ) -> None:
        self.taken, self.past, self.known, self.say = taken, past, known, say

    def choose(
        self, names: list[str], data: dataset.Interactions, validation: int, test: int
    ) -> tuple[str, list[Artifact]]:
        """The candidate that is best between ``validation`` and ``test`` (ms), and rows for the
        others. The choice sees nothing of what the gate will ask, so the gate's figures are fair.
        """
        if len(names) == 1:
            return names[0], []
        early = dataset.split(data, validation, test)
        self.say(f"choosing a candidate by {len(early.targets)} customers before the split")
        found = {name: self._fitted(CANDIDATES[name](), early) for name in names}
        recall = {name: figures[RECALL] for name, (_, figures, _) in found.items()}
        best = max(names, key=lambda name: recall[name])
        rows = [
            Artifact.objects.create(
                snapshot=self.taken, model=name, parameters=model.parameters_used, seconds=seconds,
                metrics={f"validation {key}": value for key, value in figures.items()},
                device=describe(choose()), status=ArtifactStatus.REFUSED,
                reason=f"on the validation part {RECALL} {figures[RECALL]:.4f} is not above {best}'s {recall[best]:.4f}",
            )
            for name, (model, figures, seconds) in found.items() if name != best
        ]  # fmt: skip
        return best, rows

    def _fitted(
        self, model: Recommender, data: dataset.Split
    ) -> tuple[Recommender, dict[str, float], float]:
        """The model fitted on the split, its figures on what came after, and the seconds."""
        started = time.monotonic()
        model.fit(data, self.known, lambda line: self.say(f"  {model.name}: {line}"))
        figures = metrics.evaluate(
            lambda batch: model.scores([data.histories[n] for n in batch]), data
        )
        seconds = time.monotonic() - started
        shown = "  ".join(f"{name} {value:.4f}" for name, value in figures.items() if "@" in name)
        self.say(f"{model.name}: {shown}  ({seconds:.1f} s)")
        return model, figures, seconds

    def measure(self, model: Recommender) -> Artifact:
        """Fit on the past, judge on what came after, keep both the figures and the vectors."""
        _, figures, seconds = self._fitted(model, self.past)
        row = Artifact.objects.create(
            snapshot=self.taken, model=model.name, parameters=model.parameters_used,
            metrics=figures, device=describe(choose()), seconds=seconds,
            status=ArtifactStatus.MEASURED,
        )  # fmt: skip
        space = model.space()
        if space is not None:
            row.path = str(artifacts.folder(row.pk))
            artifacts.save(space, Path(row.path) / "judged.npz")
            row.save(update_fields=["path"])
        return row

    def serving_metrics(self) -> dict[str, float] | None:
        """What serves now, judged on the same question with the vectors it was judged by then."""
        serving = serving_artifact()
        if serving is None:
            return None
        judged = Path(serving.path) / "judged.npz"
        if not judged.is_file():
            self.say(
                f"{judged} is gone: what serves cannot be judged, the baselines alone are the bar"
            )
            return None
        space = _in_order(artifacts.load(judged), self.past)
        return metrics.evaluate(
            lambda batch: space_scores(space, [self.past.histories[n] for n in batch]), self.past
        )

    def put_in_service(self, row: Artifact, full: dataset.Split, say: Say) -> None:
        """Fit the same model on everything, score everybody, then let it serve."""
        say(f"{row.model}: learning from everything, for service")
        model = CANDIDATES[row.model]()
        model.fit(full, self.known, lambda line: say(f"  {row.model}: {line}"))
        space = model.space()
        assert space is not None
        artifacts.save(space, Path(row.path) / "serving.npz")
        popular = Popularity()
        popular.fit(full, self.known, lambda line: None)
        vectors: dict[str, tuple[Any, float]] = {
            sku: (space.vectors[n], float(space.fold_weights[n]))
            for n, sku in enumerate(space.skus)
        }
        count = publish.write_product_vectors(row.pk, vectors)
        say(f"{count} product vectors written")
        slates = [(None, None, inference.strangers_slate(full.skus, popular.counts))]
        scored = ((s.customer, s.vector, s.items) for s in inference.score_customers(full, space))
        written = publish.write_slates(row.pk, (item for part in (slates, scored) for item in part))
        say(f"{written} slates written")
        publish.serve(row)


def _in_order(space: ProductSpace, data: dataset.Split) -> ProductSpace:
    """The same space over this data set's products; one it does not know has a zero vector."""
    index = space.index
    vectors = np.zeros((len(data.skus), space.vectors.shape[1]), dtype=np.float32)
    weights = np.zeros(len(data.skus), dtype=np.float32)
    for number, sku in enumerate(data.skus):
        if sku in index:
            vectors[number] = space.vectors[index[sku]]
            weights[number] = space.fold_weights[index[sku]]
    return ProductSpace(data.skus, vectors, weights)
