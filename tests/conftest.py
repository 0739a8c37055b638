"""Fixtures: the named cast, sources, both graph engines, live processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from cdp import pipeline
from cdp.domain.events import Envelope
from cdp.graph import cypher, projection, session
from cdp.models import Source
from cdp.stages.register import register_source
from tests.stack_plugin import ROOT, SHARED, free_port

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
Sent = Callable[..., list[Any]]


def need(present: bool, what: str) -> None:
    """Skip loudly; where everything must be there (CI), fail instead."""
    if present:
        return
    if os.environ.get("UNISON_REQUIRE_ALL") and "shared" not in what:
        pytest.fail(f"missing: {what}")
    pytest.skip(f"skipped: no {what}")


@pytest.fixture
def shared() -> Path:
    need(SHARED.is_dir(), "../shared")
    return SHARED


@pytest.fixture
def web(db: None) -> Source:
    return register_source("web-shop", "web")[0]


@pytest.fixture
def app(db: None) -> Source:
    return register_source("phone-app", "app")[0]


@pytest.fixture
def store(db: None) -> Source:
    return register_source("store-tills", "store")[0]


@pytest.fixture
def send() -> Sent:
    """Ingest messages as a source would, at noon plus minutes, and return their outcomes."""

    def sent(source: Source, *messages: dict[str, Any], minutes: int = 0) -> list[Any]:
        at = NOON + timedelta(minutes=minutes)
        envelope = Envelope(channel=source.channel, received_at=at)
        return pipeline.accept(source, list(messages), envelope)

    return sent


def identify(message_id: str, minutes: int = 0, **fields: Any) -> dict[str, Any]:
    return _message("identify", message_id, minutes, fields)


def track(message_id: str, event: str, minutes: int = 0, **fields: Any) -> dict[str, Any]:
    return _message("track", message_id, minutes, {"event": event, **fields})


def external(**kinds: str) -> dict[str, Any]:
    """``context.externalIds`` of a till or a CRM."""
    ids = [{"type": kind, "id": value, "collection": "users"} for kind, value in kinds.items()]
    return {"externalIds": ids}


def _message(kind: str, message_id: str, minutes: int, fields: dict[str, Any]) -> dict[str, Any]:
    at = (NOON - timedelta(days=1) + timedelta(minutes=minutes)).isoformat()
    return {"type": kind, "messageId": message_id, "timestamp": at, **fields}


# --- graph engines -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def neo4j_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    serve = SHARED / "neo4j" / "serve"
    need(serve.exists(), "../shared (a real Neo4j)")
    home = tmp_path_factory.mktemp("neo4j")
    process = subprocess.Popen(
        [str(serve), str(home), str(free_port()), "test-password"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if "NEO4J_URI=" in line:
            break
    found = dict(re.findall(r"(NEO4J_\w+)=(\S+)", "".join(seen)))
    assert "NEO4J_URI" in found, "".join(seen)
    yield found
    process.terminate()
    process.wait(30)


@pytest.fixture(params=["embedded", "neo4j"])
def graph(request: pytest.FixtureRequest, settings: Any) -> str:
    """An empty graph on each engine; a test that uses it runs on both."""
    if request.param == "neo4j":
        server = request.getfixturevalue("neo4j_server")
        settings.NEO4J_URI = server["NEO4J_URI"]
        settings.NEO4J_USER = server["NEO4J_USER"]
        settings.NEO4J_PASSWORD = server["NEO4J_PASSWORD"]
        settings.NEO4J_DATABASE = "neo4j"
    empty_graph()
    return str(request.param)


@pytest.fixture
def embedded_graph() -> None:
    empty_graph()


def empty_graph() -> None:
    for statement in (cypher.CLEAR_EDGES, cypher.CLEAR_NODES):
        while next(iter(session.stream(statement, limit=5000)))["n"]:
            pass
    projection.ensure_schema()


def sound_profiles() -> bool:
    """True when profiles, counters, traits and interactions are what the events say."""
    return {name: n for name, (n, _) in pipeline.check_profiles().items()} == {
        "profiles": 0, "counters": 0, "traits": 0, "interactions": 0,
    }  # fmt: skip


def graph_contents() -> dict[str, set[tuple[Any, ...]]]:
    """Everything in the graph, comparable between runs and engines (customers by their members)."""
    members: dict[str, set[int]] = {}
    for row in session.stream(cypher.READ_MEMBERSHIPS):
        members.setdefault(row["customer"], set()).add(row["identity"])
    edges = {
        (verb, r["identity"], r["sku"], r["event"], r["line"], r["quantity"], r["amount"])
        for verb in cypher.VERBS
        for r in session.stream(cypher.read_interactions(verb))
    }
    return {"customers": {tuple(sorted(ids)) for ids in members.values()}, "edges": edges}


# --- live processes ----------------------------------------------------------------------------


def process_env() -> dict[str, str]:
    """For a process of ours that works on the test database."""
    target = connection.settings_dict
    url = (
        f"postgresql://{target['USER']}:{target['PASSWORD']}@{target['HOST']}:{target['PORT']}"
        f"/{target['NAME']}"
    )
    return os.environ | {"DATABASE_URL": url, "PYTHONPATH": str(ROOT), "UNISON_TICK_SECONDS": "0.2"}


@pytest.fixture
def live_url(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """A real ASGI server in a process of its own, on the test database."""
    port = free_port()
    server = start_web(port, tmp_path)
    yield f"http://127.0.0.1:{port}"
    stop(server)


def start_web(port: int, folder: Path) -> subprocess.Popen[bytes]:
    command = ["uvicorn", "api.asgi:application", "--port", str(port), "--lifespan", "off"]
    with (folder / "web.log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=process_env(), stdout=log, stderr=log
        )
    wait_for(lambda: _answers(f"http://127.0.0.1:{port}/healthz"), 30)
    return server


@pytest.fixture
def worker(
    transactional_db: None, tmp_path: Path
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a real Celery worker with its own beat; all are stopped at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        number = len(started)
        command = [
            "celery", "-A", "workers", "worker", "-l", "warning", "-c", "2", "-Q", "events",
            "-n", f"test{number}@%h", "-B", "-s", str(tmp_path / f"beat-{number}"),
        ]  # fmt: skip
        with (tmp_path / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=ROOT, env=process_env(),
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        stop(process)


def stop(process: subprocess.Popen[bytes], seconds: float = 15) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def wait_for(condition: Callable[[], bool], seconds: float, every: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(every)
    raise AssertionError(f"not so within {seconds} s")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
