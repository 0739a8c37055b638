"""What a learned model says of every product, given a history: plain arrays, no training.

A model leaves a *voice* behind: the arrays that turn histories into scores. So what was judged, what
serves and what a worker computes again after an event are the same few lines, and no process that
ranks needs the library that trained. Every voice gives ``scores`` (n, P) for n histories, higher is
better, and ``shares`` (T, n): how much each of T touches adds to the scores of n products, for the
reasons that are shown; where scores are linear in the touches, each column adds up to the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cdp.domain.ranking import DECAY, Touch, history_weights

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
SILENT = 1e-12
Histories = Sequence[Sequence[Touch]]


class Voice(Protocol):
    """``source`` says what it hears: graph, text, or popularity."""

    @property
    def source(self) -> str: ...

    def scores(self, histories: Histories) -> Floats: ...

    def shares(self, history: Sequence[Touch], products: Ints) -> Floats: ...


def touched(histories: Histories, products: int, decay: float = DECAY) -> sparse.csr_matrix:
    """What histories say as a matrix (n, P): the weight of each touched product, recent ones more;
    negative for what was returned."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for number, history in enumerate(histories):
        weights = history_weights(history, decay)
        rows += [number] * len(weights)
        columns += weights.keys()
        values += weights.values()
    shape = (len(histories), products)
    return sparse.csr_matrix((values, (rows, columns)), shape=shape, dtype=np.float32)


@dataclass(frozen=True)
class Lists:
    """Each product leads to some others: ``leads`` (P, P), and with the weight ``back`` the other way
    too; a touch counts ``given`` (P,), what is reached ``asked`` (P,)."""

    leads: sparse.csr_matrix
    given: Floats
    asked: Floats
    decay: float = DECAY
    back: float = 0.0
    source: str = "graph"

    def scores(self, histories: Histories) -> Floats:
        start = touched(histories, len(self.given), self.decay) @ sparse.diags(self.given)
        found: Floats = (start @ self.leads).toarray()
        if self.back:
            found = found + np.float32(self.back) * (start @ self.leads.T).toarray()
        found *= self.asked
        return found.astype(np.float32, copy=False)

    def shares(self, history: Sequence[Touch], products: Ints) -> Floats:
        ones, factors = _factors(history, self.decay, self.given)
        led = picked(self.leads[ones], products)
        if self.back:
            led = led + np.float32(self.back) * picked(self.leads[products], ones).T
        found: Floats = factors[:, None] * led * self.asked[products]
        return found


@dataclass(frozen=True)
class Vectors:
    """Inner product of a customer's and a product's vector: ``vectors`` (P, d), of which a touch
    gives ``given`` (P,) and a product asks by ``asked`` (P,); ``unit``: the customer's has length 1.
    """

    vectors: Floats
    given: Floats
    asked: Floats
    decay: float = DECAY
    unit: bool = False
    source: str = "graph"

    def customers(self, histories: Histories) -> Floats:
        """The customers' vectors (n, d); a history that says nothing has the zero vector."""
        start = touched(histories, len(self.given), self.decay) @ sparse.diags(self.given)
        found: Floats = np.asarray(start @ self.vectors, dtype=np.float32)
        return found / lengths(found) if self.unit else found

    def scores(self, histories: Histories) -> Floats:
        found: Floats = self.customers(histories) @ self.vectors.T
        found *= self.asked
        return found

    def shares(self, history: Sequence[Touch], products: Ints) -> Floats:
        ones, factors = _factors(history, self.decay, self.given)
        each: Any = factors[:, None] * self.vectors[ones]
        if self.unit:
            each = each / lengths(each.sum(axis=0, keepdims=True))
        found: Floats = (each @ self.vectors[products].T) * self.asked[products]
        return found


@dataclass(frozen=True)
class Counts:
    """The same for everybody: ``counts`` (P,)."""

    counts: Floats
    source: str = "popularity"

    def scores(self, histories: Histories) -> Floats:
        return np.tile(self.counts, (len(histories), 1))

    def shares(self, history: Sequence[Touch], products: Ints) -> Floats:
        ones, _ = _factors(history, DECAY, self.counts)
        return np.zeros((len(ones), len(products)), dtype=np.float32)


@dataclass(frozen=True)
class Neighbours:
    """What the ``count`` customers touched (``by``: customers × products) whose touches are most
    like a history's, popular products counting ``damping`` (P,). One whose touches are just the
    history's is the customer and is not asked."""

    by: sparse.csr_matrix
    damping: Floats
    count: int
    decay: float = DECAY
    source: str = "graph"
    OWN: ClassVar[float] = 1 - 1e-5

    def scores(self, histories: Histories) -> Floats:
        found: Floats = (self._near(histories) @ self.by).toarray()
        return found.astype(np.float32)

    def shares(self, history: Sequence[Touch], products: Ints) -> Floats:
        """How much each touch makes those neighbours alike who touched the products."""
        ones, _ = _factors(history, self.decay, self.damping)
        near = self._near([history])
        given = _unit(touched([history], len(self.damping), self.decay) @ self._damp)
        who = near.indices[near.data > 0]
        if not len(who):
            return np.zeros((len(ones), len(products)), dtype=np.float32)
        alike = self._units[who][:, ones].toarray() * given[:, ones].toarray()
        found: Floats = alike.T @ self.by[who][:, products].toarray()
        return found

    @cached_property
    def _damp(self) -> Any:
        return sparse.diags(self.damping)

    @cached_property
    def _units(self) -> sparse.csr_matrix:
        return _unit(self.by @ self._damp)

    @cached_property
    def _columns(self) -> sparse.csr_matrix:
        return self._units.T.tocsr()

    def _near(self, histories: Histories) -> sparse.csr_matrix:
        given = touched(histories, len(self.damping), self.decay)
        whole = _unit((given > 0).astype(np.float32) @ self._damp)
        near = (_unit(given @ self._damp) @ self._columns).toarray()
        near[(whole @ self._columns).toarray() > self.OWN] = 0
        count = min(int(self.count), near.shape[1])
        place = np.argpartition(-near, count - 1, axis=1)[:, :count]
        value = np.take_along_axis(near, place, axis=1)
        starts = np.arange(0, count * len(histories) + 1, count)
        return sparse.csr_matrix((value.ravel(), place.ravel(), starts), shape=near.shape)


def standardised(scores: Floats) -> Floats:
    """Each row with mean 0 and standard deviation 1; a row that says nothing becomes 0."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    found: Floats = np.where(spread > SILENT, centred / np.maximum(spread, SILENT), 0.0)
    return found.astype(np.float32)


def _factors(history: Sequence[Touch], decay: float, given: Floats) -> tuple[Ints, Floats]:
    """The products of a history in order, and what a touch of each counts."""
    weights = history_weights(history, decay)
    ones = np.array(sorted(weights), dtype=np.int64)
    return ones, np.array([weights[int(n)] for n in ones], dtype=np.float32) * given[ones]


def picked(rows: sparse.csr_matrix, columns: Ints) -> Floats:
    """Some columns of sparse rows as a dense array, many times quicker than by slicing."""
    place = np.full(rows.shape[1], -1, dtype=np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    to = place[rows.indices]
    kept = to >= 0
    found = np.zeros((rows.shape[0], len(columns)), dtype=np.float32)
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    found[row[kept], to[kept]] = rows.data[kept]
    return found


def lengths(rows: Floats) -> Floats:
    found: Floats = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return found


def _unit(matrix: Any) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = sparse.diags(1 / np.maximum(lengths, 1e-9))
    return (scale @ matrix).tocsr().astype(np.float32)
