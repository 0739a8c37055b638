"""Bring the whole embedded stack up or down, and say where it stands."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from cdp.stack.config import StackConfig
from cdp.stack.graph import Graph
from cdp.stack.postgres import Postgres
from cdp.stack.process import ManagedProcess
from cdp.stack.services import services
from cdp.stack.valkey import Valkey


class Server(Protocol):
    name: str
    process: ManagedProcess

    def up(self) -> str: ...
    def down(self) -> bool: ...


EXTERNAL = {"postgres": "DATABASE_URL", "graph": "NEO4J_URI", "valkey": "REDIS_URL"}


def stores(config: StackConfig, env: Mapping[str, str] = os.environ) -> list[Server]:
    """The embedded stores that no environment variable replaces by a server of the user's."""
    every: list[Server] = [Postgres(config), Graph(config), Valkey(config)]
    return [server for server in every if not env.get(EXTERNAL[server.name])]


def up(config: StackConfig, servers: list[Server], say: Callable[[str], None]) -> None:
    with _one_at_a_time(config):
        for server in servers:
            say(f"{server.name}: starting …")
            say(f"{server.name}: {server.up()}")


def down(config: StackConfig, say: Callable[[str], None]) -> None:
    servers: list[Server] = [*services(config), *stores(config, {})]
    with _one_at_a_time(config):
        for server in sorted(servers, key=lambda s: s.name in EXTERNAL):
            say(f"{server.name}: {'stopped' if server.down() else 'not running'}")


def status(config: StackConfig) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for server in [*stores(config, {}), *services(config)]:
        variable = EXTERNAL.get(server.name, "")
        process = server.process.find()
        if variable and os.environ.get(variable):
            rows.append((server.name, f"external ({variable})"))
        elif process is None:
            rows.append((server.name, "not running"))
        else:
            rows.append((server.name, f"running (pid {process.pid})"))
    return rows


@contextmanager
def _one_at_a_time(config: StackConfig) -> Iterator[None]:
    run = config.var / "run"
    run.mkdir(parents=True, exist_ok=True)
    with (run / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
