"""Where a training stands, kept on disk after every epoch, so that a killed run goes on from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graph_ml.dataset import Split

_folder: ContextVar[Path | None] = ContextVar("checkpoints", default=None)


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Trainings inside keep their states in ``folder`` and go on from those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


class Checkpoint:
    """The state of one training, known by its model, its settings and its data."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def load(self) -> dict[str, Any] | None:
        if self.path is None or not self.path.is_file():
            return None
        state: dict[str, Any] = torch.load(self.path, weights_only=True)
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Atomically: a kill in between leaves the state of the epoch before."""
        if self.path is None:
            return
        partial = self.path.with_suffix(".partial")
        torch.save(dict(state), partial)
        partial.rename(self.path)


def checkpoint(
    name: str, parameters: Mapping[str, Any], data: Split, known: Iterable[Any] = ()
) -> Checkpoint:
    """The checkpoint of this very training, from this data and what else is ``known`` (arrays or
    text); one that keeps nothing outside ``kept_in``."""
    folder = _folder.get()
    if folder is None:
        return Checkpoint(None)
    told = hashlib.sha256(json.dumps([name, parameters], sort_keys=True, default=str).encode())
    for array in (data.matrix.indptr, data.matrix.indices, data.matrix.data):
        told.update(np.ascontiguousarray(array).tobytes())
    told.update("\0".join(data.skus).encode())
    for one in known:
        told.update(one.encode() if isinstance(one, str) else np.ascontiguousarray(one).tobytes())
    return Checkpoint(folder / f"{name}-{told.hexdigest()[:16]}.pt")


def dice_state(dice: np.random.Generator) -> str:
    return json.dumps(dice.bit_generator.state)


def set_dice(dice: np.random.Generator, state: str) -> None:
    dice.bit_generator.state = json.loads(state)
