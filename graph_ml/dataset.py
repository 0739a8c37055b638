"""A snapshot as arrays, split by time: what is learned from lies before what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from cdp.domain.ranking import VERB_WEIGHT, Touch
from cdp.domain.voices import touched
from cdp.errors import CDPError

POSITIVE = ("viewed", "added", "purchased")
Ints = NDArray[np.int64]


class Query(NamedTuple):
    """Somebody searched for ``text`` and then chose the product of this index at ``at`` (ms)."""

    text: str
    product: int
    at: int


@dataclass(frozen=True)
class Interactions:
    """Columns in time order: customer and product as indices, verb as text, ``at`` in ms."""

    customers: Sequence[str]
    skus: Sequence[str]
    customer: Ints
    product: Ints
    verb: Sequence[str]
    at: Ints
    channel: Sequence[str] = ()
    queries: Sequence[Query] = ()


@dataclass(frozen=True)
class Split:
    """Histories to learn from and, for some customers, the new products that came after.

    ``last_out``: asked is each customer's last purchase, not what came after one moment for all;
    ``drawn``: nothing says when, and a lot drew what is asked.
    """

    customers: Sequence[str]
    skus: Sequence[str]
    histories: Sequence[Sequence[Touch]]
    targets: Mapping[int, frozenset[int]]
    matrix: sparse.csr_matrix = field(repr=False)
    last_out: bool = False
    drawn: bool = False
    queries: Sequence[Query] = ()

    def had(self, customer: int) -> set[int]:
        """What a customer touched: it is neither asked for nor recommended again."""
        return {touch.product for touch in self.histories[customer]}

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.customers), len(self.skus)


def load(path: Path, also: Sequence[str] = ()) -> Interactions:
    """Read a snapshot; ``also`` names products that nobody touched yet."""
    columns = {"customer", "sku", "verb", "at", "event", "channel", "query"}
    whole = pq.read_table(path, columns=sorted(columns & set(pq.read_schema(path).names)))
    if "query" not in whole.column_names:  # a snapshot of before queries were kept
        whole = whole.append_column("query", pa.nulls(len(whole), pa.string()))
    whole = whole.sort_by([("at", "ascending"), ("event", "ascending"), ("sku", "ascending")])
    table = whole.filter(pc.is_null(whole["query"]))
    customers, customer = np.unique(table["customer"].to_numpy(), return_inverse=True)
    skus, product = np.unique(
        np.concatenate([table["sku"].to_numpy(), np.array(list(also), dtype=object)]),
        return_inverse=True,
    )
    return Interactions(
        [str(c) for c in customers], [str(s) for s in skus], customer.astype(np.int64),
        product[: len(table)].astype(np.int64), table["verb"].to_pylist(),
        table["at"].to_numpy().astype(np.int64), table["channel"].to_pylist(),
        _queries(whole.filter(pc.is_valid(whole["query"])), {str(s): n for n, s in enumerate(skus)}),
    )  # fmt: skip


def _queries(table: Any, place: Mapping[str, int]) -> list[Query]:
    """Those for products that are touched or in the catalogue, in order of time."""
    return [
        Query(text, place[sku], at)
        for text, sku, at in zip(
            *(table[name].to_pylist() for name in ("query", "sku", "at")), strict=True
        )
        if sku in place
    ]


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
    queries = [query for query in data.queries if query.at < start]
    matrix = positive(histories, len(data.skus))
    return Split(data.customers, data.skus, histories, targets, matrix, queries=queries)


def without_leak(data: Split, start: int) -> Split:
    """The split itself, after looking whether anything asked for could have been learned.

    Raises:
        CDPError: ``leak`` where a touch or a query from ``start`` (ms) on is learned from, or where what a
            customer is asked for stands in their own history or in the matrix.
    """
    for customer, history in enumerate(data.histories):
        late = [touch for touch in history if touch.at >= start]
        if late:
            raise CDPError("leak", f"customer {data.customers[customer]} is learned from by {len(late)} touches after the split")  # fmt: skip
    if late_queries := [query for query in data.queries if query.at >= start]:
        raise CDPError("leak", f"{len(late_queries)} queries after the split are learned from")
    for customer, wanted in data.targets.items():
        row = data.matrix.indices[data.matrix.indptr[customer] : data.matrix.indptr[customer + 1]]
        if seen := wanted & (data.had(customer) | set(row.tolist())):
            skus = ", ".join(sorted(data.skus[product] for product in seen))
            raise CDPError("leak", f"customer {data.customers[customer]} is asked for what was learned: {skus}")  # fmt: skip
    return data


def everything(data: Interactions) -> Split:
    """All of it to learn from, nothing to ask: for the artifact that serves."""
    return split(data, int(data.at[-1]) + 1)


def later_part(data: Split, share: float = 0.1, most: int = 3000) -> Split:
    """A split within a split: the last ``share`` of the touches is asked for, of at most ``most``
    customers; what is learned from lies before it."""
    if data.last_out:
        return _last_out(data, most)
    times = np.sort([touch.at for history in data.histories for touch in history])
    start = int(times[int(len(times) * (1 - share))])
    if start <= times[0]:  # undated, or all but a few at one moment
        return _without_dates(data, most)
    past = [[touch for touch in history if touch.at < start] for history in data.histories]
    later = [[touch for touch in history if touch.at >= start] for history in data.histories]
    return _asked(data, past, later, most, start)


def fewer(data: Split, most: int) -> Split:
    """The same, asking at most ``most`` of the customers, evenly drawn."""
    customers = sorted(data.targets)
    step = max(1.0, len(customers) / max(1, most))
    drawn = [customers[int(n * step)] for n in range(min(most, len(customers)))]
    return replace(data, targets={customer: data.targets[customer] for customer in drawn})


def _last_out(data: Split, most: int) -> Split:
    """Asks for each customer's last new purchase; no touch of that product is in what is known."""
    past: list[list[Touch]] = []
    later: list[list[Touch]] = []
    for history in data.histories:
        first: dict[int, int] = {}
        for touch in history:
            if touch.verb == "purchased":
                first[touch.product] = min(first.get(touch.product, touch.at), touch.at)
        moment = max(first.values(), default=0)
        asked = {product for product, at in first.items() if at == moment}
        past.append([touch for touch in history if touch.product not in asked])
        later.append([touch for touch in history if touch.product in asked])
    return _asked(data, past, later, most)


def _without_dates(data: Split, most: int, share: float = 0.2) -> Split:
    """A fifth of every customer's products, drawn by lot: where nothing says what came later."""
    dice = np.random.default_rng(7)
    past, later = [], []
    for history in data.histories:
        products = sorted({touch.product for touch in history})
        drawn = set(dice.permutation(products)[: round(share * len(products))].tolist())
        past.append([touch for touch in history if touch.product not in drawn])
        later.append([touch for touch in history if touch.product in drawn])
    return replace(_asked(data, past, later, most), drawn=True)


def _asked(
    data: Split,
    past: list[list[Touch]],
    later: list[list[Touch]],
    most: int,
    until: float = float("inf"),
) -> Split:
    """A split of ``past``, asking ``most`` customers (evenly drawn) for what is new in ``later``;
    queries from ``until`` (ms) on are not of the past."""
    found = Split(
        data.customers,
        data.skus,
        past,
        {},
        positive(past, len(data.skus)),
        last_out=data.last_out,
        queries=[query for query in data.queries if query.at < until],
    )
    targets: dict[int, frozenset[int]] = {}
    for customer, touches in enumerate(later):
        wanted = {t.product for t in touches if t.verb in POSITIVE}
        new = wanted - found.had(customer) if wanted and past[customer] else set()
        if new:
            targets[customer] = frozenset(new)
    return fewer(replace(found, targets=targets), most)


def boundaries(data: Interactions, validation: float = 0.1, test: float = 0.2) -> tuple[int, int]:
    """Times (ms) at which validation and test begin, by share of positive interactions."""
    [(first, second)] = windows(data, 1, validation, test)
    return first, second


def windows(
    data: Interactions, count: int, share: float = 0.1, test: float = 0.2
) -> list[tuple[int, int]]:
    """The last ``count`` windows of time (from, until, in ms) before the test, the latest first, each
    holding ``share`` of the positive interactions; models learn from what lies before a window.

    Raises:
        CDPError: ``too_many_windows`` where nothing would lie before the first.
    """
    positive = np.array([verb in POSITIVE for verb in data.verb])
    times = data.at[positive] if positive.any() else data.at
    ends = [1 - test - share * n for n in range(count + 1)]
    if ends[-1] < share / 2 or (count > 1 and times[int(len(times) * ends[-1])] <= data.at[0]):
        said = f"{count} windows of {share:.0%} leave nothing before the first to learn from"
        raise CDPError("too_many_windows", said, field="windows")
    at = [int(times[int(len(times) * end)]) for end in ends]
    return list(zip(at[1:], at[:-1], strict=True))


def positive(histories: Sequence[Sequence[Touch]], products: int) -> sparse.csr_matrix:
    """Customers × products, the positive weight of each touch (see ``history_weights``)."""
    found = touched(histories, products)
    found.data = np.maximum(found.data, 0.0)
    found.eliminate_zeros()
    return found


def weight_of(verb: str) -> float:
    return VERB_WEIGHT.get(verb, 0.0)
