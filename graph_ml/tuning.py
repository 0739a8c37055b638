"""A search over a few settings of the models that are trained (Akiba et al. 2019, Optuna's TPE)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import optuna

from graph_ml.candidates import CANDIDATES, Make
from graph_ml.dataset import Split
from graph_ml.metrics import mean
from graph_ml.models.graph_sage import GraphSAGE
from graph_ml.models.lightgcn import LightGCN
from graph_ml.training import Settings

if TYPE_CHECKING:
    from graph_ml.measuring import Measuring

SEED = 7


def _settings(trial: optuna.Trial, start: Settings) -> Settings:
    return replace(
        start,
        learning_rate=trial.suggest_float("learning_rate", 5e-4, 2e-2, log=True),
        hidden=trial.suggest_float("hidden", 0.2, 0.6),
        sharpness=trial.suggest_float("sharpness", 4.0, 16.0, log=True),
    )


def _lightgcn(trial: optuna.Trial) -> Mapping[str, Any]:
    return {
        "dimensions": trial.suggest_categorical("dimensions", [64, 128, 256]),
        "layers": trial.suggest_int("layers", 1, 3),
        "temperature": trial.suggest_float("temperature", 0.05, 0.3, log=True),
        "settings": Settings(
            epochs=20,
            batch=2048,
            patience=2,
            learning_rate=trial.suggest_float("learning_rate", 1e-3, 3e-2, log=True),
        ),
    }


def _graph_sage(trial: optuna.Trial) -> Mapping[str, Any]:
    return {
        "dimensions": trial.suggest_categorical("dimensions", [32, 64, 128]),
        "settings": _settings(trial, Settings(learning_rate=0.005)),
    }


SEARCHES: Mapping[str, tuple[Callable[..., Any], Callable[[optuna.Trial], Mapping[str, Any]]]] = {
    "lightgcn": (LightGCN, _lightgcn),
    "graphsage": (GraphSAGE, _graph_sage),
}


def tuned(name: str, trials: int, early: Split, measuring: Measuring) -> Make:
    """The model with the best of ``trials`` settings by recall@20 + ndcg@20 of the validation part;
    models that choose their settings themselves, and no trials, leave it as it is."""
    if not trials or name not in SEARCHES:
        return CANDIDATES[name]
    make, suggest = SEARCHES[name]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED))

    def tried(trial: optuna.Trial) -> float:
        measuring.say(f"{name}: trial {trial.number + 1}/{trials}")
        found = measuring.fitted(make(**suggest(trial)), early).judged
        return mean(found.recall()) + mean(found.ndcg())

    study.optimize(tried, n_trials=trials)
    best = study.best_trial
    measuring.say(f"{name}: best of {trials} settings: {best.params} ({best.value:.4f})")
    return partial(make, **suggest(optuna.trial.FixedTrial(best.params)))  # type: ignore[arg-type]
