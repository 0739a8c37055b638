"""Slates over GraphQL at scale, and how much of the exact ranking the vector index finds.

python bench/slates.py [--products N] [--customers N] [--seconds S] [--rate R] [--json OUT]

Products and customers with vectors of a planted taste; every customer's slate is stored, as a
learning run stores it. Requests are sent at a fixed rate, whether or not earlier ones are answered,
and their time counts from when they should have been sent.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import threading
import time
import uuid
from pathlib import Path
from queue import Queue
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.machine import set_up, show, stack

DIMENSIONS, TASTES, CONNECTIONS, ASKED = 128, 400, 8, 200
QUERY = """
query Slate($value: String!) {
  customer(identifier: {kind: "user_id", value: $value}) {
    recommendations(first: 10) { strategy items { rank score product { sku title } } }
  }
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument(
        "--again", action="store_true", help="only ask again what an earlier run stored"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    set_up("slates")
    with stack(fresh=not options.again) as config:
        show("slates at scale", measure(config, options), options.json)


def measure(config: Any, options: argparse.Namespace) -> list[dict[str, Any]]:
    from cdp.models import Scope
    from cdp.stack import control
    from cdp.stack.services import services
    from cdp.stages.register import register_api_key

    rows = [] if options.again else _index(*_fill(options.products, options.customers))
    web = [one for one in services(config) if one.name == "web"]
    control.up(config, web, lambda line: None)
    key = register_api_key(f"bench {time.time()}", Scope.values, "web")[1]
    _asked(
        config.ports["web"], key, options, min(5.0, options.seconds)
    )  # connections, plans, caches
    waits = sorted(_asked(config.ports["web"], key, options, options.seconds))
    rows.append({
        "what": f"GraphQL slate of 10 at {options.rate:g}/s", "count": len(waits),
        "median ms": statistics.median(waits), "p95 ms": waits[int(0.95 * len(waits))],
        "worst ms": waits[-1],
    })  # fmt: skip
    return rows


def _fill(products: int, customers: int) -> tuple[Any, Any, Any]:
    """Catalogue, people, and an artifact whose vectors gather around tastes, through the stages
    that a learning run uses."""
    import numpy as np

    from cdp.domain.slates import Ranker
    from cdp.domain.voices import Vectors
    from cdp.models import Artifact, ArtifactStatus, Customer, Identifier, Product, Snapshot
    from cdp.stages import publish

    dice = np.random.default_rng(5)
    tastes = dice.normal(size=(TASTES, DIMENSIONS))

    def around(count: int, noise: float) -> Any:
        found = tastes[dice.integers(0, TASTES, count)] + dice.normal(0, noise, (count, DIMENSIONS))
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    vectors, people = around(products, 0.7), around(customers, 0.7)
    Product.objects.bulk_create(
        [
            Product(sku=f"p{n}", title=f"Product {n}", category=f"c{n % 50}")
            for n in range(products)
        ],
        batch_size=5000,
    )
    rows = Customer.objects.bulk_create(
        [Customer(id=n + 1, public_id=uuid.uuid4()) for n in range(customers)], batch_size=5000
    )
    now = _now()
    made = Identifier.objects.bulk_create(
        [
            Identifier(
                id=n + 1, kind="user_id", value=f"u{n}", customer=row, component=n + 1,
                first_seen_at=now, last_seen_at=now,
            )
            for n, row in enumerate(rows)
        ],
        batch_size=5000,
    )  # fmt: skip
    assert len(made) == customers
    snapshot = Snapshot.objects.create(path="", checksum="", customers=customers, products=products, interactions=0, finished_at=now)  # fmt: skip
    artifact = Artifact.objects.create(
        snapshot=snapshot, model="planted", parameters={}, metrics={}, device="cpu", seconds=0,
        status=ArtifactStatus.MEASURED,
    )  # fmt: skip
    one = np.ones(products, dtype=np.float32)
    ranker = Ranker([f"p{n}" for n in range(products)], Vectors(vectors, one, one, unit=True))
    started = time.monotonic()
    publish.write_product_vectors(artifact.pk, ranker)
    print(f"{products} product vectors written and indexed in {time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
    publish.write_slates(artifact.pk, _slates(rows, people, vectors))
    publish.serve(artifact)
    _analyse()
    return artifact, vectors, people


def _slates(rows: list[Any], people: Any, vectors: Any) -> Any:
    import numpy as np
    from rich.progress import track

    yield None, None, [{"sku": f"p{n}", "score": 1.0, "reason": {}} for n in range(50)]
    for start in track(range(0, len(rows), 500), description="slates"):
        scores = people[start : start + 500] @ vectors.T
        top = np.argpartition(-scores, 50, axis=1)[:, :50]
        for row, places, vector, own in zip(
            rows[start:], top, people[start:], scores, strict=False
        ):
            ordered = places[np.argsort(-own[places])]
            reason = {"kind": "popular", "text": "popular with our customers"}
            yield str(row.public_id), vector, [
                {"sku": f"p{n}", "score": round(float(own[n]), 6), "reason": reason} for n in ordered
            ]  # fmt: skip


def _index(artifact: Any, vectors: Any, people: Any) -> list[dict[str, Any]]:
    """Recall of the index against the exact ranking, for customers' twenty nearest products."""
    import numpy as np

    from cdp.selectors.alike import nearest

    waits, found = [], []
    for vector in people[:ASKED]:
        started = time.monotonic()
        skus = nearest(artifact.pk, vector, 20)
        waits.append((time.monotonic() - started) * 1000)
        exact = {f"p{n}" for n in np.argpartition(-(vectors @ vector), 20)[:20]}
        found.append(len(exact & {sku for sku, _ in skus}) / 20)
    waits.sort()
    return [{
        "what": "20 nearest products by the index", "count": ASKED,
        "median ms": statistics.median(waits), "p95 ms": waits[int(0.95 * ASKED)],
        "worst ms": waits[-1], "recall": statistics.mean(found),
    }]  # fmt: skip


def _asked(port: int, key: str, options: argparse.Namespace, seconds: float) -> list[float]:
    """Milliseconds of each request, from when it was due."""
    waits: list[float] = []
    due: Queue[tuple[float, int] | None] = Queue()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while (job := due.get()) is not None:
            at, number = job
            variables = {"value": f"u{number * 7919 % options.customers}"}
            body = json.dumps({"query": QUERY, "variables": variables})
            connection.request("POST", "/graphql", body, headers)
            answer = json.loads(connection.getresponse().read())
            assert len(answer["data"]["customer"]["recommendations"]["items"]) == 10, answer
            waits.append((time.monotonic() - at) * 1000)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    for number in range(int(seconds * options.rate)):
        at = started + number / options.rate
        time.sleep(max(0.0, at - time.monotonic()))
        due.put((at, number))
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    return waits


def _analyse() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()


if __name__ == "__main__":
    main()
