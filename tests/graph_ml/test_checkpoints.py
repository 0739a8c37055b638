"""A training killed in the middle goes on, and ends as the undisturbed one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cdp.errors import CDPError
from graph_ml.checkpoints import kept_in
from graph_ml.models.contract import ProductFeatures
from graph_ml.models.graph_sage import GraphSAGE
from graph_ml.models.lightgcn import LightGCN
from graph_ml.training import Settings
from tests.graph_ml.test_models import features, planted
from tests.stack_plugin import ROOT

SETTINGS = Settings(epochs=12, patience=12)
# Killed by the signal nobody can catch, after its third epoch.
TRAINING = """
import sys, time
from pathlib import Path
from graph_ml.checkpoints import kept_in
from graph_ml.models.lightgcn import LightGCN
from tests.graph_ml.test_checkpoints import SETTINGS
from tests.graph_ml.test_models import features, planted
def report(line):
    print(line, flush=True)
    if line.startswith("epoch 4/"):
        time.sleep(60)
with kept_in(Path(sys.argv[1])):
    LightGCN(settings=SETTINGS).fit(planted(), features(), report)
"""


def trained(folder: Path | None) -> tuple[LightGCN, list[str]]:
    said: list[str] = []
    model = LightGCN(settings=SETTINGS)
    if folder is None:
        model.fit(planted(), features(), said.append)
    else:
        with kept_in(folder):
            model.fit(planted(), features(), said.append)
    return model, said


def test_kill_9_and_resume_end_where_undisturbed_training_ends(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "cdp.settings"}
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(tmp_path)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 4/"):
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    resumed, said = trained(tmp_path)
    undisturbed, _ = trained(None)
    assert said[0] == "going on after epoch 3 of a run that was cut off"
    assert resumed.curve == undisturbed.curve
    np.testing.assert_array_equal(resumed.voice().vectors, undisturbed.voice().vectors)


def test_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    trained(tmp_path)
    with kept_in(tmp_path):
        said: list[str] = []
        LightGCN(dimensions=64, settings=SETTINGS).fit(planted(), features(), said.append)
        assert said[0].startswith("start: ")
        LightGCN(settings=SETTINGS).fit(planted(seed=6), features(), said.append)
    assert sum(line.startswith("start: ") for line in said) == 2


def test_a_training_on_other_features_is_not_gone_on_with(tmp_path: Path) -> None:
    """The catalogue may change while a run is down: other words, or pictures that were not there."""
    known, said = features(), []
    pictures = replace(known, image=np.eye(len(known.text), 3, dtype=np.float32))
    with kept_in(tmp_path):
        for other in (known, replace(known, text=known.text[::-1].copy()), pictures):
            GraphSAGE(settings=SETTINGS).fit(planted(), other, said.append)
        assert sum(line.startswith("start: ") for line in said) == 3
        GraphSAGE(settings=SETTINGS).fit(planted(), pictures, said.append)
    assert said[-1].startswith("going on after")


def test_features_that_are_no_numbers_are_named() -> None:
    known = features()
    broken = ProductFeatures(np.full_like(known.text, np.nan), known.category, known.categories)
    with pytest.raises(CDPError, match="not_a_number"):
        GraphSAGE().fit(planted(), broken, lambda line: None)


def test_a_checkpoint_is_whole_or_not_there(tmp_path: Path) -> None:
    started = time.monotonic()
    trained(tmp_path)
    assert not list(tmp_path.glob("*.partial")) and len(list(tmp_path.glob("*.pt"))) == 1
    assert time.monotonic() - started < 60
