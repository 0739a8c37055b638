"""One learning run: snapshot, split, baselines, candidates, gate, publication."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import numpy as np
from django.conf import settings
from django.utils import timezone

from cdp import artifacts
from cdp.domain.slates import Ranker
from cdp.draining import only_one
from cdp.errors import CDPError
from cdp.models import Artifact, ArtifactStatus, Product, Snapshot
from cdp.selectors.ranker import bought_again, variety
from cdp.selectors.slates import serving_artifact
from cdp.stages import publish
from graph_ml import dataset, features, inference, snapshot
from graph_ml.candidates import BASELINES, CANDIDATES, Make
from graph_ml.checkpoints import kept_in
from graph_ml.distributed import fit
from graph_ml.measuring import Measured, Measuring
from graph_ml.metrics import mean
from graph_ml.models.popularity import Popularity
from graph_ml.promotion import RECALL, decide, no_worse
from graph_ml.quality import Quality
from graph_ml.tuning import tuned

Say = Callable[[str], None]
LEARNING_LOCK = 7_301_002
RESUMABLE = timedelta(days=1)
STALE = timedelta(days=7)


@dataclass(frozen=True)
class Result:
    """The table of one run, and the artifact that serves after it (None: nothing passed)."""

    rows: list[Artifact]
    serving: Artifact | None


def learn(
    say: Say,
    models: list[str] | None = None,
    *,
    trials: int = 0,
    afresh: bool = False,
    windows: int = 1,
) -> Result:
    """Run the whole of learning once, one run at a time.

    A run that was cut off less than a day ago is gone on with, from its snapshot and the states of
    its trainings, unless ``afresh``. ``trials``: how many settings of each trained model are tried;
    ``windows``: by how many windows of time before the test the candidate is chosen.

    Raises:
        CDPError: ``learning_busy`` (retryable), ``graph_unavailable``, ``empty_graph``,
            ``nothing_to_learn``, ``encoder_missing``, ``not_a_number``.
    """
    with only_one(LEARNING_LOCK) as alone:
        if not alone:
            raise CDPError("learning_busy", "another learning run is going on", retryable=True)
        with _snapshot(say, afresh) as taken:
            return _learn(say, taken, models or list(CANDIDATES), trials, windows)


@contextmanager
def _snapshot(say: Say, afresh: bool) -> Iterator[Snapshot]:
    """The snapshot to learn from: that of a run that was cut off, or a new one."""
    taken = None if afresh else _cut_off()
    if taken is not None:
        say(f"going on with the run on snapshot {taken.pk}, which was cut off")
        Artifact.objects.filter(snapshot=taken).delete()
    else:
        Snapshot.objects.filter(finished_at=None).update(finished_at=timezone.now())
        say("snapshot: reading the interaction graph")
        taken = snapshot.take(lambda rows: say(f"  {rows} interactions"))
    say(f"snapshot {taken.pk}: {taken.customers} customers, {taken.products} products, "
        f"{taken.interactions} interactions")  # fmt: skip
    states = Path(settings.ARTIFACTS) / "runs" / f"{taken.pk:06}"
    try:
        with kept_in(states):
            yield taken
    except Exception:
        # It failed and would fail again: only what was killed is gone on with.
        _ended(taken, states)
        raise
    _ended(taken, states)


def _ended(taken: Snapshot, states: Path) -> None:
    Snapshot.objects.filter(pk=taken.pk).update(finished_at=timezone.now())
    rmtree(states, ignore_errors=True)


def _cut_off() -> Snapshot | None:
    last = Snapshot.objects.filter(finished_at=None).order_by("-pk").first()
    if last is None or timezone.now() - last.created_at > RESUMABLE:
        return None
    served = Artifact.objects.filter(snapshot=last, served_from__isnull=False).exists()
    return None if served or not Path(last.path).is_file() else last


def _learn(say: Say, taken: Snapshot, names: list[str], trials: int, count: int) -> Result:
    catalogue = list(Product.objects.values_list("sku", flat=True))
    data = dataset.load(snapshot.verify(taken), catalogue)
    windows = dataset.windows(data, count)
    [(_, test), *_] = windows
    say("text: BERT vectors of the product texts")
    known = features.build(data.skus, queries=(query.text for query in data.queries))
    past = dataset.without_leak(dataset.split(data, test), test)
    say(f"split by time: {len(past.targets)} customers have something new after the split")
    measuring = Measuring(taken, past, known, data, say)
    make, left = _choose(measuring, names, data, windows, trials)
    baselines = {name: measuring.measure(make()) for name, make in BASELINES.items()}
    chosen = measuring.measure(make())
    serving, stale = measuring.serving(), _is_stale()
    bar = {name: found.quality for name, found in baselines.items()}
    decision = decide(chosen.quality, bar, serving, stale=stale)
    row = chosen.row
    say(f"gate: {row.model} {'passes' if decision.promoted else 'is refused'}: {decision.reason}")
    row.reason = decision.reason
    row.status = ArtifactStatus.MEASURED if decision.promoted else ArtifactStatus.REFUSED
    row.save(update_fields=["status", "reason"])
    if decision.promoted:
        _put_in_service(row, make, measuring, dataset.everything(data))
    else:
        _fall_back(baselines, serving, stale, measuring)
    return Result([*(found.row for found in baselines.values()), *left, row], serving_artifact())


def _fall_back(
    baselines: Mapping[str, Measured], serving: Quality | None, stale: bool, measuring: Measuring
) -> None:
    """The best baseline serves where nothing does, or where what does is stale and no better."""
    name, best = max(baselines.items(), key=lambda one: mean(one[1].quality.recall))
    nothing = serving_artifact() is None
    if nothing or (stale and no_worse(best.quality, serving)):
        why = "nothing served before" if nothing else "what served had learned from old data"
        measuring.say(f"{why}: {name}, the best baseline, serves until something is better")
        best.row.reason = f"{why}: the best baseline until something is better"
        full = dataset.everything(measuring.data)
        _put_in_service(best.row, BASELINES[name], measuring, full)


def _is_stale() -> bool:
    serving = serving_artifact()
    return serving is not None and timezone.now() - serving.snapshot.created_at > STALE


def _choose(
    measuring: Measuring,
    names: list[str],
    data: dataset.Interactions,
    windows: Sequence[tuple[int, int]],
    trials: int,
) -> tuple[Make, list[Artifact]]:
    """The candidate that is best in the windows (ms) before the test, on average, and rows for the
    others. The choice sees nothing of what the gate will ask, so the gate's figures are fair."""
    if len(names) == 1 and not trials:
        if len(windows) > 1:
            measuring.say(
                f"one candidate, {names[0]}: there is nothing to choose by windows of time"
            )
        return CANDIDATES[names[0]], []
    early = [dataset.without_leak(dataset.split(data, *window), window[0]) for window in windows]
    asked = " and ".join(str(len(past.targets)) for past in early)
    measuring.say(f"choosing a candidate by {asked} customers before the split")
    # Settings are searched in the oldest window: its past holds no other window's answers.
    makes = {name: tuned(name, trials, early[-1], measuring) for name in names}
    found, recall = {}, {}
    for name, make in makes.items():
        found[name] = measuring.fitted(make(), early[0])
        older = [measuring.fitted(make(), past).judged for past in early[1:]]
        recall[name] = [mean(one.recall()) for one in (found[name].judged, *older)]
    best = max(names, key=lambda name: float(np.mean(recall[name])))
    rows = [
        measuring.validated(one, _left(recall[name], best, recall[best]))
        for name, one in found.items()
        if name != best
    ]
    return makes[best], rows


def _left(recall: Sequence[float], best: str, bar: Sequence[float]) -> str:
    """Why a candidate was left, where the best one has ``bar``."""
    where = "on the validation part" if len(bar) == 1 else f"in {len(bar)} windows of time"
    each = "" if len(bar) == 1 else f" ({', '.join(f'{one:.4f}' for one in recall)})"
    return f"{where} {RECALL} {np.mean(recall):.4f}{each} is not above {best}'s {np.mean(bar):.4f}"


def _put_in_service(row: Artifact, make: Make, measuring: Measuring, full: dataset.Split) -> None:
    """Fit the same model on everything, score everybody, then let it serve."""
    say = measuring.say
    say(f"{row.model}: learning from everything, for service")
    model = make()
    fit(model, full, measuring.known, lambda line: say(f"  {row.model}: {line}"))
    ranker = Ranker(full.skus, model.voice())
    artifacts.save(ranker, Path(row.path) / "serving.npz")
    popular = Popularity()
    popular.fit(full, measuring.known, lambda line: None)
    say(f"{publish.write_product_vectors(row.pk, ranker)} product vectors written")
    slates = [(None, None, inference.strangers_slate(full.skus, popular.counts))]
    scored = (
        (one.customer, one.vector, one.items)
        for one in inference.score_customers(full, ranker, bought_again(ranker.index), variety())
    )
    written = publish.write_slates(row.pk, (item for part in (slates, scored) for item in part))
    say(f"{written} slates written")
    publish.serve(row)
