"""How long from an event that HTTP accepted until the customer's GraphQL slate has changed?

python bench/fresh.py [--people N] [--customers N] [--json OUT]

The sample shop, learned from; web, workers and beat running as `make serve` starts them. Each of the
customers looks at a product they never touched, one customer after another, and its slate is asked
for every 20 ms until it was computed after the event was accepted.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import sys
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.machine import set_up, show, stack

QUERY = """
query Fresh($value: String!) {
  customer(identifier: {kind: "user_id", value: $value}) {
    recommendations(first: 10) { computedAt strategy items { product { sku } } }
  }
}
"""
LONGEST = 60.0
EVERY = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    set_up("fresh")
    with stack() as config:
        show("from accepted to changed slate", measure(config, options), options.json)


def measure(config: Any, options: argparse.Namespace) -> list[dict[str, Any]]:
    from django.utils import timezone

    from cdp import pipeline
    from cdp.models import Identifier
    from cdp.simulator import shop
    from cdp.stack import control
    from cdp.stack.services import services
    from graph_ml.run import learn

    made = shop.open_shop(options.people, 4.0, timezone.now())
    _take_in(made)
    pipeline.drain()
    learned = learn(lambda line: None)
    assert learned.serving is not None
    pipeline.drain()
    print(f"serving: {learned.serving}", flush=True)
    control.up(config, [*services(config)], lambda line: None)
    url = f"http://127.0.0.1:{config.ports['web']}"
    users = Identifier.objects.filter(kind="user_id", customer__slates__isnull=False).distinct()
    known = list(users.order_by("id").values_list("value", flat=True)[: options.customers])
    skus = [item.sku for item in made.catalogue]
    waits, changed = [], 0
    for number, user in enumerate(known):
        seconds, moved = _one(url, made, user, skus[(number * 37) % len(skus)])
        waits.append(seconds)
        changed += moved
    waits.sort()
    return [
        {
            "customers": len(waits), "median s": statistics.median(waits),
            "p95 s": waits[int(0.95 * len(waits))], "worst s": waits[-1],
            "share whose ten products changed": changed / len(waits), "model": learned.serving.model,
        }
    ]  # fmt: skip


def _take_in(made: Any) -> None:
    from django.utils import timezone

    from bench.path import _bodies
    from cdp import pipeline
    from cdp.models import Source
    from cdp.simulator import shop

    sources = {row.name.removeprefix(shop.PREFIX): row for row in Source.objects.all()}
    for source, events in _bodies(made.messages, made.write_keys):
        row = sources[source]
        envelope = pipeline.Envelope(channel=row.channel, received_at=timezone.now())
        pipeline.accept(row, events, envelope)


def _one(url: str, made: Any, user: str, sku: str) -> tuple[float, bool]:
    """Seconds until the slate was computed anew, and whether its products are others then."""
    before = _asked(url, made, user)
    _viewed(url, made, user, sku)
    accepted = time.monotonic()
    while time.monotonic() - accepted < LONGEST:
        after = _asked(url, made, user)
        if after["computedAt"] != before["computedAt"]:
            return time.monotonic() - accepted, after["items"] != before["items"]
        time.sleep(EVERY)
    raise SystemExit(f"{user}: no fresh slate within {LONGEST:.0f} s; see var/bench-fresh/run/worker.log")  # fmt: skip


def _asked(url: str, made: Any, user: str) -> dict[str, Any]:
    import requests

    response = requests.post(
        f"{url}/graphql", json={"query": QUERY, "variables": {"value": user}}, timeout=30,
        headers={"Authorization": f"Bearer {made.api_keys['web']}"},
    )  # fmt: skip
    found: dict[str, Any] = response.json()["data"]["customer"]["recommendations"]
    return found


def _viewed(url: str, made: Any, user: str, sku: str) -> None:
    import requests

    key = base64.b64encode(f"{made.write_keys['web']}:".encode()).decode()
    message = {
        "messageId": uuid.uuid4().hex, "userId": user, "event": "Product Viewed",
        "properties": {"sku": sku},
    }  # fmt: skip
    response = requests.post(
        f"{url}/v1/track", json=message, timeout=30, headers={"Authorization": f"Basic {key}"}
    )
    response.raise_for_status()


if __name__ == "__main__":
    main()
