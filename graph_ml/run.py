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
from graph_ml.promotion import decide

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
    _, test = dataset.boundaries(data)
    past = dataset.split(data, test)
    say(f"split by time: {len(past.targets)} customers have something new after the split")
    run = _Run(taken, past, known, say)
    baselines = {name: run.measure(make()) for name, make in BASELINES.items()}
    found = [run.measure(CANDIDATES[name]()) for name in models or CANDIDATES]
    serving = run.serving_metrics()
    table = {name: row.metrics for name, row in baselines.items()}
    passed: list[Artifact] = []
    for row in found:
        decision = decide(row.metrics, table, serving)
        row.reason = decision.reason
        row.status = ArtifactStatus.MEASURED if decision.promoted else ArtifactStatus.REFUSED
        row.save(update_fields=["status", "reason"])
        passed += [row] if decision.promoted else []
        say(
            f"gate: {row.model} {'passes' if decision.promoted else 'is refused'}: {decision.reason}"
        )
    chosen = max(passed, key=lambda row: row.metrics["recall@20"], default=None)
    if chosen is not None:
        run.put_in_service(chosen, dataset.everything(data), say)
    return Result([*baselines.values(), *found], serving_artifact())


class _Run:
    """What the models of one run share."""

    def __init__(
        self, taken: Snapshot, past: dataset.Split, known: ProductFeatures, say: Say
    ) -> None:
        self.taken, self.past, self.known, self.say = taken, past, known, say

    def measure(self, model: Recommender) -> Artifact:
        """Fit on the past, judge on what came after, keep both the figures and the vectors."""
        started = time.monotonic()
        model.fit(self.past, self.known, lambda line: self.say(f"  {model.name}: {line}"))
        figures = metrics.evaluate(
            lambda batch: model.scores([self.past.histories[n] for n in batch]), self.past
        )
        seconds = time.monotonic() - started
        shown = "  ".join(f"{name} {value:.4f}" for name, value in figures.items() if "@" in name)
        self.say(f"{model.name}: {shown}  ({seconds:.1f} s)")
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
