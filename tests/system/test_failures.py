"""What can fail, failing: a worker killed, the graph away, PostgreSQL away."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from cdp import changing, outbox, pipeline
from cdp.graph import session
from cdp.models import Event, Identifier, Link, OutboxMessage, Profile, Topic
from cdp.selectors.changes import profile_changes
from cdp.selectors.health import stores
from cdp.stack.config import load
from cdp.stack.graph import Graph
from cdp.stages.register import register_source
from tests.conftest import (
    external,
    graph_contents,
    identify,
    sound_profiles,
    start_web,
    stop,
    track,
    wait_for,
)
from tests.stack_plugin import ROOT, free_port

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]
Start = Callable[[], Popen[bytes]]


def stream(count: int) -> list[dict[str, Any]]:
    """People with merges all the time: cookies, accounts, e-mails, cards, a till."""
    dice = random.Random(8)
    events = []
    for n in range(count):
        person = dice.randrange(count // 12)
        kinds: dict[str, str] = {"cookie": f"ck{person}-{dice.randrange(3)}"}
        if dice.random() < 0.4:
            kinds["email"] = f"p{person}@mail.example"
        if dice.random() < 0.3:
            kinds["loyalty_card"] = f"L{person}"
        if dice.random() < 0.1:
            kinds["cookie"] = "till-1"
        sku = {"sku": f"T{dice.randrange(30)}", "price": dice.randrange(1, 50)}
        if dice.random() < 0.3:
            kinds["user_id"] = f"u{person}"
            events.append(identify(f"m{n}", n, context=external(**kinds), traits={"n": n}))
        else:
            events.append(
                track(f"m{n}", "Product Viewed", n, context=external(**kinds), properties=sku)
            )
    return events


def post(url: str, key: str, events: list[dict[str, Any]]) -> int:
    secret = base64.b64encode(f"{key}:".encode()).decode()
    request = urllib.request.Request(
        f"{url}/v1/batch",
        json.dumps({"batch": events}).encode(),
        {"Authorization": f"Basic {secret}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def send_all(url: str, key: str, events: list[dict[str, Any]], pause: float = 0.0) -> None:
    for start in range(0, len(events), 50):
        assert post(url, key, events[start : start + 50]) == 200
        time.sleep(pause)


def state() -> dict[str, Any]:
    """Everything derived, in words that do not depend on row numbers."""
    named = {row.id: str(row) for row in Identifier.objects.all()}
    groups: dict[int, set[str]] = {}
    for row in Identifier.objects.all():
        assert row.customer_id is not None
        groups.setdefault(row.customer_id, set()).add(named[row.id])
    messages = dict(Event.objects.values_list("id", "message_id"))
    graph = graph_contents()
    return {
        "events": Event.objects.count(),
        "customers": {(named[anchor], frozenset(names)) for anchor, names in groups.items()},
        "shared": set(Identifier.objects.filter(shared=True).values_list("value", flat=True)),
        "links": {(named[x.a_id], named[x.b_id], x.count) if named[x.a_id] < named[x.b_id] else (named[x.b_id], named[x.a_id], x.count) for x in Link.objects.all()},
        "profiles": sorted(json.dumps([p.counters, {k: t["value"] for k, t in p.traits.items()}], sort_keys=True) for p in Profile.objects.filter(absorbed=False)),
        "graph customers": {frozenset(named[i] for i in ids) for ids in graph["customers"]},
        "graph edges": {(verb, named[i], sku, messages[e], line, q, a) for verb, i, sku, e, line, q, a in graph["edges"]},
    }  # fmt: skip


def in_the_middle() -> bool:
    """True while a worker's transaction has claimed outbox messages and is not finished."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
            WHERE a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
                  AND l.relation = 'cdp_link'::regclass AND l.mode = 'RowExclusiveLock'
            """
        )
        row = cursor.fetchone()
        return bool(row and row[0])


def drained(seconds: float = 60) -> None:
    wait_for(lambda: not outbox.waiting(), seconds)


def test_a_worker_killed_in_the_middle_leaves_what_an_undisturbed_run_leaves(
    live_url: str, worker: Start, embedded_graph: None, django_db_blocker: Any
) -> None:
    events = stream(1500)
    _, key = register_source("web-shop", "web")
    first = worker()
    kills = 0
    for start in range(0, len(events), 50):
        assert post(live_url, key, events[start : start + 50]) == 200
        time.sleep(0.05)
        if start in (300, 700, 1100):
            wait_for(in_the_middle, 30, every=0.002)
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
            kills += 1
            first = worker()
    drained()
    assert kills == 3
    disturbed = state()
    assert sound_profiles()
    assert sum(n for n, _ in pipeline.check_graph().values()) == 0
    assert sum(n for n, _ in changing.check_identity(lambda n, c: None).values()) == 0
    stop(first)
    _forget_everything()
    _, key = register_source("web-shop", "web")
    send_all(live_url, key, events)
    pipeline.drain()
    assert state() == disturbed


def test_while_the_graph_is_stopped_for_a_minute_ingestion_goes_on_and_the_graph_catches_up(
    live_url: str, worker: Start, embedded_graph: None
) -> None:
    server = Graph(load(ROOT))
    _, key = register_source("web-shop", "web")
    worker()
    events = stream(600)
    send_all(live_url, key, events[:200])
    drained()
    server.down()
    stopped = time.monotonic()
    try:
        send_all(live_url, key, events[200:], pause=0.1)
        wait_for(lambda: not Event.objects.filter(resolved_at=None).exists(), 60)
        wait_for(lambda: outbox.waiting(Topic.GRAPH) > 0, 10)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"{live_url}/readyz", timeout=20)
        stores = json.loads(error.value.read())["stores"]
        assert stores["postgres"] == "ok" and "graph_unavailable" in stores["graph"]
        noted = OutboxMessage.objects.filter(last_error__contains="graph_unavailable")
        wait_for(noted.exists, 40)
        while time.monotonic() - stopped < 60:  # long enough for the retries to back off
            assert post(live_url, key, [track(f"late{time.monotonic_ns()}", "Late")]) == 200
            time.sleep(1)
    finally:
        server.up()
    drained(90)
    assert sum(n for n, _ in pipeline.check_graph().values()) == 0
    assert len(graph_contents()["edges"]) == sum(e["type"] == "track" for e in events)


def test_a_graph_that_hangs_holds_up_neither_postgresql_nor_the_change_feed(
    embedded_graph: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is stopped with its connections open: no answer, no refusal."""
    source, _ = register_source("web-shop", "web")
    monkeypatch.setattr(session, "WRITE_SECONDS", 2.0)
    process = Graph(load(ROOT)).process.find()
    assert process is not None
    pipeline.accept(
        source,
        [track("m1", "Product Viewed", userId="u", properties={"sku": "T"})],
        pipeline.Envelope("web", timezone.now()),
    )
    pipeline.process_events()
    process.suspend()
    try:
        started = time.monotonic()
        projecting = threading.Thread(target=_project)
        projecting.start()
        time.sleep(0.5)
        assert len(profile_changes(10, None).profiles) == 1
        projecting.join(20)
        assert not projecting.is_alive() and time.monotonic() - started < 15
        assert "no answer" in OutboxMessage.objects.get(topic=Topic.GRAPH).last_error
        assert "no answer" in stores()["graph"]
    finally:
        process.resume()
    OutboxMessage.objects.update(available_at=timezone.now())
    wait_for(lambda: pipeline.project_graph() == 1, 30, every=1)
    assert sum(n for n, _ in pipeline.check_graph().values()) == 0


def _project() -> None:
    try:
        pipeline.project_graph()
    finally:
        connection.close()


def test_without_postgresql_a_batch_is_refused_with_503_and_may_be_sent_again(
    tmp_path: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = f"postgresql://unison:x@127.0.0.1:{free_port()}/nothing"
    port = free_port()
    from tests import conftest

    monkeypatch.setattr(
        conftest,
        "process_env",
        lambda: os.environ | {"DATABASE_URL": closed, "PYTHONPATH": str(ROOT)},
    )
    server = start_web(port, tmp_path)
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/batch?writeKey=k", b'{"batch": []}'
        )
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=60)
        assert error.value.code == 503
        assert error.value.headers["Retry-After"] == "1"
        assert json.loads(error.value.read())["code"] == "store_unavailable"
    finally:
        stop(server)


def _forget_everything() -> None:
    from django.core.management import call_command

    from tests.conftest import empty_graph

    call_command("flush", verbosity=0, interactive=False)
    empty_graph()
