"""A snapshot as arrays, split by time: what is learned from lies before what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from cdp.domain.ranking import VERB_WEIGHT, Touch, history_weights
from cdp.errors import CDPError

POSITIVE = ("viewed", "added", "purchased")
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Interactions:
    """Columns in time order: customer and product as indices, verb as text, ``at`` in ms."""

    customers: Sequence[str]
    skus: Sequence[str]
    customer: Ints
    product: Ints
    verb: Sequence[str]
    at: Ints


@dataclass(frozen=True)
class Split:
    """Histories to learn from and, for some customers, the new products that came after."""

    customers: Sequence[str]
    skus: Sequence[str]
    histories: Sequence[Sequence[Touch]]
    targets: Mapping[int, frozenset[int]]
    matrix: sparse.csr_matrix = field(repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.customers), len(self.skus)


def load(path: Path, also: Sequence[str] = ()) -> Interactions:
    """Read a snapshot; ``also`` names products that nobody touched yet."""
    table = pq.read_table(path, columns=["customer", "sku", "verb", "at", "event"])
    table = table.sort_by([("at", "ascending"), ("event", "ascending"), ("sku", "ascending")])
    customers, customer = np.unique(table["customer"].to_numpy(), return_inverse=True)
    skus, product = np.unique(
        np.concatenate([table["sku"].to_numpy(), np.array(list(also), dtype=object)]),
        return_inverse=True,
    )
    return Interactions(
        [str(c) for c in customers], [str(s) for s in skus], customer.astype(np.int64),
        product[: len(table)].astype(np.int64), table["verb"].to_pylist(),
        table["at"].to_numpy().astype(np.int64),
    )  # fmt: skip


def split(data: Interactions, start: int, end: int | None = None) -> Split:
    """Learn from what happened before ``start`` (ms); ask for what is new until ``end``.

    Raises:
        CDPError: ``nothing_to_learn`` when no interaction lies before ``start``.
    """
    histories: list[list[Touch]] = [[] for _ in data.customers]
    later: dict[int, set[int]] = {}
    stop = data.at[-1] + 1 if end is None else end
    for customer, product, verb, at in zip(
        data.customer.tolist(), data.product.tolist(), data.verb, data.at.tolist(), strict=True
    ):
        if at < start:
            histories[customer].append(Touch(product, verb, at))
        elif at < stop and verb in POSITIVE:
            later.setdefault(customer, set()).add(product)
    if not any(histories):
        raise CDPError("nothing_to_learn", "no interaction lies before the split")
    targets = {}
    for customer, products in later.items():
        new = products - {touch.product for touch in histories[customer]}
        if histories[customer] and new:
            targets[customer] = frozenset(new)
    return Split(data.customers, data.skus, histories, targets, _matrix(histories, len(data.skus)))


def everything(data: Interactions) -> Split:
    """All of it to learn from, nothing to ask: for the artifact that serves."""
    return split(data, int(data.at[-1]) + 1)


def later_part(data: Split, share: float = 0.1, most: int = 3000) -> Split:
    """A split within a split: the last ``share`` of the touches is asked for, of at most ``most``
    customers; what is learned from lies before it."""
    times = np.sort([touch.at for history in data.histories for touch in history])
    start = int(times[int(len(times) * (1 - share))])
    past = [[touch for touch in history if touch.at < start] for history in data.histories]
    targets: dict[int, frozenset[int]] = {}
    for customer, history in enumerate(data.histories):
        later = {t.product for t in history if t.at >= start and t.verb in POSITIVE}
        new = later - {t.product for t in past[customer]}
        if past[customer] and new and len(targets) < most:
            targets[customer] = frozenset(new)
    matrix = _matrix(past, len(data.skus))
    return Split(data.customers, data.skus, past, targets, matrix)


def boundaries(data: Interactions, validation: float = 0.1, test: float = 0.2) -> tuple[int, int]:
    """Times (ms) at which validation and test begin, by share of positive interactions."""
    positive = np.array([verb in POSITIVE for verb in data.verb])
    times = data.at[positive] if positive.any() else data.at
    first, second = (times[int(len(times) * share)] for share in (1 - test - validation, 1 - test))
    return int(first), int(second)


def _matrix(histories: Sequence[Sequence[Touch]], products: int) -> sparse.csr_matrix:
    """Customers × products, the positive weight of each touch (see ``history_weights``)."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for customer, history in enumerate(histories):
        for product, weight in history_weights(history).items():
            if weight > 0:
                rows.append(customer)
                columns.append(product)
                values.append(weight)
    shape = (len(histories), products)
    return sparse.csr_matrix((values, (rows, columns)), shape=shape, dtype=np.float32)


def weight_of(verb: str) -> float:
    return VERB_WEIGHT.get(verb, 0.0)
