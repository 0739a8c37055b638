"""How fast is each stage of the path, how far behind does it run, and what does it hold in memory?

python bench/path.py [--people N] [--json OUT]
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.machine import set_up, show, stack

BATCH = 100
LAG_SAMPLES = 30


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    set_up("path")
    with stack() as config:
        show("the path, stage by stage", measure(config, options.people), options.json)


def measure(config: Any, people: int) -> list[dict[str, Any]]:
    import psutil
    from django.utils import timezone

    from cdp import pipeline
    from cdp.models import Event, Interaction, Source
    from cdp.simulator import shop
    from cdp.stack import control
    from cdp.stack.services import services

    made = shop.open_shop(people, 4.0, timezone.now())
    bodies = _bodies(made.messages, made.write_keys)
    half = len(bodies) // 2
    rows: list[dict[str, Any]] = []

    def timed(name: str, unit: str, count: Callable[[], int], work: Callable[[], Any]) -> None:
        before, started = count(), time.monotonic()
        work()
        seconds = time.monotonic() - started
        done = count() - before
        rows.append(
            {
                "stage": name,
                "count": done,
                "unit": unit,
                "seconds": seconds,
                "per second": done / seconds,
            }
        )

    def in_process() -> None:
        for source, events in bodies[:half]:
            row = sources[source]
            envelope = pipeline.Envelope(channel=row.channel, received_at=timezone.now())
            pipeline.accept(row, events, envelope)

    sources = {row.name.removeprefix(shop.PREFIX): row for row in Source.objects.all()}
    timed("accept, batches of 100", "events", Event.objects.count, in_process)
    timed(
        "resolve + profile, one worker", "events",
        Event.objects.filter(resolved_at__isnull=False).count, lambda: _repeat(pipeline.process_events),
    )  # fmt: skip
    timed("project into the graph", "edges", Interaction.objects.count, lambda: None)
    rows.pop()
    edges = Interaction.objects.count()
    started = time.monotonic()
    _repeat(pipeline.project_graph)
    seconds = time.monotonic() - started
    rows.append(
        {
            "stage": "project into the graph",
            "count": edges,
            "unit": "edges",
            "seconds": seconds,
            "per second": edges / seconds,
        }
    )
    control.up(config, [*services(config)], lambda line: None)
    url = f"http://127.0.0.1:{config.ports['web']}"
    timed(
        "accept over HTTP, 2 connections, workers beside it", "events", Event.objects.count,
        lambda: _post_all(url, bodies[half:], made.write_keys),
    )  # fmt: skip
    from cdp import outbox

    started = time.monotonic()
    while outbox.waiting():
        time.sleep(0.1)
    rows.append(
        {"stage": "  then until everything is in the graph", "seconds": time.monotonic() - started}
    )
    rows += _lag(url, made.write_keys["web"])
    for server in [*control.stores(config, {}), *services(config)]:
        process = server.process.find()
        if process is not None:
            family = [process, *process.children(recursive=True)]
            used = sum(_memory(one) for one in family)
            rows.append(
                {
                    "stage": f"memory of {server.name} ({len(family)} processes)",
                    "count": round(used),
                    "unit": "MB",
                }
            )
    rows.append(
        {"stage": "memory of this bench", "count": round(_memory(psutil.Process())), "unit": "MB"}
    )
    return rows


def _memory(process: Any) -> float:
    """Proportional set size where the system tells it: shared pages are counted once."""
    info = process.memory_full_info()
    return float(getattr(info, "pss", info.rss)) / 2**20


def _bodies(messages: list[Any], keys: dict[str, str]) -> list[tuple[str, list[dict[str, Any]]]]:
    waiting: dict[str, list[dict[str, Any]]] = {}
    bodies: list[tuple[str, list[dict[str, Any]]]] = []
    for m in messages:
        event: dict[str, Any] = {
            "type": m.call, "messageId": m.message_id, "anonymousId": m.anonymous_id,
            "userId": m.user_id, "timestamp": m.at.isoformat(), "context": m.context,
        }  # fmt: skip
        event |= (
            {"traits": m.body} if m.call == "identify" else {"event": m.event, "properties": m.body}
        )
        part = waiting.setdefault(m.source, [])
        part.append(event)
        if len(part) == BATCH:
            bodies.append((m.source, waiting.pop(m.source)))
    return bodies


def _repeat(step: Callable[[], int]) -> None:
    while step():
        pass


def _post(url: str, key: str, events: list[dict[str, Any]]) -> None:
    secret = base64.b64encode(f"{key}:".encode()).decode()
    body = json.dumps({"batch": events}).encode()
    request = urllib.request.Request(f"{url}/v1/batch", body, {"Authorization": f"Basic {secret}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def _post_all(
    url: str, bodies: list[tuple[str, list[dict[str, Any]]]], keys: dict[str, str]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda item: _post(url, keys[item[0]], item[1]), bodies))


def _lag(url: str, key: str) -> list[dict[str, Any]]:
    """From 200 to resolved, and to the graph, on an idle system."""
    from cdp.graph import session
    from cdp.models import Event

    resolved: list[float] = []
    projected: list[float] = []
    for number in range(LAG_SAMPLES):
        name = f"lag-{number}-{time.time_ns()}"
        event = {
            "type": "track",
            "event": "Product Viewed",
            "messageId": name,
            "anonymousId": name,
            "properties": {"sku": "COF-001"},
        }
        _post(url, key, [event])
        started = time.monotonic()
        row = Event.objects.get(message_id=name)
        while Event.objects.filter(pk=row.pk, resolved_at=None).exists():
            time.sleep(0.01)
        resolved.append(time.monotonic() - started)
        query = "MATCH (:Identity)-[r:VIEWED {event: $event}]->(:Product) RETURN count(r) AS n"
        while not next(iter(session.stream(query, event=row.pk)))["n"]:
            time.sleep(0.02)
        projected.append(time.monotonic() - started)
    return [
        {
            "stage": f"lag from 200 to {what}",
            "count": LAG_SAMPLES,
            "unit": "events",
            "p50 s": statistics.median(values),
            "max s": max(values),
        }
        for what, values in (("resolved", resolved), ("the graph", projected))
    ]


if __name__ == "__main__":
    main()
