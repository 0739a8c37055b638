"""Two processes train one model, over gloo, and end where one ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from graph_ml.models.contract import Recommender, cosine
from graph_ml.models.fusion import Fusion
from graph_ml.models.graph_sage import GraphSAGE
from graph_ml.models.lightgcn import LightGCN
from graph_ml.training import Settings
from tests.graph_ml.test_models import features, planted
from tests.stack_plugin import ROOT, free_port

# The batch is cut into halves of equal size, so that the mean of their means is the mean.
SETTINGS = Settings(epochs=3, patience=3, batch=48)
SCRIPT = """
import json, sys
from pathlib import Path
import torch.distributed as dist
from graph_ml.distributed import fit, joined
from tests.graph_ml.test_distributed import made, shown
from tests.graph_ml.test_models import features, planted
with joined() as leading:
    if leading:
        model = made(sys.argv[2])
        fit(model, planted(), features(), lambda line: None)
        Path(sys.argv[1]).write_text(json.dumps(
            {"processes": dist.get_world_size(), "scores": shown(model), "curve": getattr(model, "curve", [])}))
"""


def made(name: str) -> Recommender:
    """A mixture is the leader's alone, and so are its parts."""
    if name == "fusion":
        return Fusion()
    return LightGCN(settings=SETTINGS) if name == "lightgcn" else GraphSAGE(settings=SETTINGS)


def shown(model: Recommender) -> list[list[float]]:
    """Scores by the state it ended in (which of three epochs was best a hair may decide)."""
    if isinstance(model, GraphSAGE):
        with torch.no_grad():
            vectors, folds = model()
        model._voice = cosine(vectors.numpy(), folds.numpy())
    return model.scores(planted().histories[:9]).tolist()


@pytest.mark.parametrize("name", ["lightgcn", "graphsage", "fusion"])
def test_two_processes_end_where_one_ends(name: str, tmp_path: Path) -> None:
    script, out = tmp_path / "train.py", tmp_path / "out.json"
    script.write_text(SCRIPT)
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "cdp.settings", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
         "--master-port", str(free_port()), str(script), str(out), name],
        cwd=ROOT, env=environment, check=True, timeout=120,
    )  # fmt: skip
    found = json.loads(out.read_text())
    alone = made(name)
    alone.fit(planted(), features(), lambda line: None)
    assert found["processes"] == 2
    assert len(found["curve"]) == (0 if name == "fusion" else 3)
    wanted = np.array(shown(alone))
    if name in ("lightgcn", "fusion"):
        np.testing.assert_allclose(found["scores"], wanted, atol=2e-3)  # bfloat16
    else:  # halves of different sizes weigh the same: near, not equal
        assert np.corrcoef(np.ravel(found["scores"]), wanted.ravel())[0, 1] > 0.99
