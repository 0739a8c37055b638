"""Where and how models compute."""

from __future__ import annotations

import numpy as np
import torch

from graph_ml.device import choose, compiled
from graph_ml.models.graph_sage import GraphSAGE
from graph_ml.training import Settings
from tests.graph_ml.test_models import features, planted


def test_on_the_cpu_nothing_is_compiled() -> None:
    model = GraphSAGE()
    assert compiled(model, torch.device("cpu")) is model


def test_the_compiled_program_computes_the_same() -> None:
    """Captured as on a graphics card, without the card's code behind it."""
    model = GraphSAGE(settings=Settings(epochs=1))
    model.fit(planted(), features(), lambda line: None)
    with torch.no_grad():
        plain = model()
        traced = compiled(model, choose(), backend="eager")()
    for one, other in zip(plain, traced, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)
