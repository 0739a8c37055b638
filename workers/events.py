"""Work through the outbox: accepted events, then the graph."""

from __future__ import annotations

import time
from collections.abc import Callable

from cdp import changing, pipeline
from workers.app import app

BUDGET_SECONDS = 5.0


@app.task(name="workers.events.drain")
def drain() -> int:
    return _until_empty(pipeline.process_events)


@app.task(name="workers.events.match_records")
def match_records() -> int:
    return _until_empty(pipeline.match_records)


@app.task(name="workers.events.drain_graph")
def drain_graph() -> int:
    return _until_empty(pipeline.project_graph)


@app.task(name="workers.events.refresh_slates")
def refresh_slates() -> int:
    return _until_empty(pipeline.refresh_slates)


@app.task(name="workers.identity.change_rules")
def change_rules() -> int:
    return changing.process_rules()


@app.task(name="workers.identity.expire_links")
def expire_links() -> bool:
    return changing.expire_links(lambda name, count: None)


def _until_empty(step: Callable[[], int]) -> int:
    """Repeat a step until it finds nothing; give way to other tasks after a few seconds."""
    total = 0
    deadline = time.monotonic() + BUDGET_SECONDS
    while time.monotonic() < deadline:
        done = step()
        total += done
        if not done:
            break
    return total
