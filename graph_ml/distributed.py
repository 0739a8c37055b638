"""Several processes train one model: `torchrun --nproc-per-node N manage.py train …`.

The first process runs the whole of learning; the others only help it to fit. Whenever it fits a model
it hands them the model as it is before training, and the data; every batch is cut into as many parts as there
are processes, and the gradients are averaged (synchronous data parallel training). NCCL between
GPUs, gloo between processors.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn

from graph_ml.dataset import Split
from graph_ml.models.contract import ProductFeatures, Recommender, Report

T = TypeVar("T")
PATIENCE = timedelta(hours=6)  # helpers wait while the leader does what they have no part in
_together: ContextVar[bool] = ContextVar("together", default=False)
Job = tuple[Recommender, Split, ProductFeatures]


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """How many train the model at hand: one, unless it was handed to all (a part of a mixture that
    the leader fits is its own)."""
    return dist.get_world_size() if _together.get() else 1


@contextmanager
def joined() -> Iterator[bool]:
    """Join the other processes that torchrun started, if it did; True for the one that leads. The
    others fit what they are handed until the leader is done."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield True
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        if rank() == 0:
            try:
                yield True
            finally:
                dist.broadcast_object_list([None], src=0)
        else:
            _help()
            yield False
    finally:
        dist.destroy_process_group()


def _help() -> None:
    while True:
        handed: list[Job | None] = [None]
        dist.broadcast_object_list(handed, src=0)
        if handed[0] is None:
            return
        model, data, features = handed[0]
        with _all():
            model.fit(data, features, lambda line: None)


@contextmanager
def _all() -> Iterator[None]:
    token = _together.set(True)
    try:
        yield
    finally:
        _together.reset(token)


def fit(model: Recommender, data: Split, features: ProductFeatures, report: Report) -> None:
    """Fit a model, with the other processes where there are some and it is trained by batches."""
    if not (dist.is_initialized() and isinstance(model, nn.Module)):
        model.fit(data, features, report)
        return
    dist.broadcast_object_list([(model, data, features)], src=0)
    with _all():
        model.fit(data, features, report)


def own(rows: NDArray[Any]) -> NDArray[Any]:
    """This process's part of a batch."""
    return rows[rank() :: processes()] if processes() > 1 else rows


def average(parameters: Iterable[nn.Parameter]) -> None:
    """The mean of all processes' gradients, in every process; one that a process has none of is 0."""
    if processes() < 2:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        dist.all_reduce(parameter.grad)
        parameter.grad /= processes()


def of_leader(value: T) -> T:
    """The leader's value, in every process."""
    handed: list[T] = [value]
    dist.broadcast_object_list(handed, src=0)
    return handed[0]
