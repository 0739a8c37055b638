"""The embedded stack itself: up twice, up after kill -9, external servers left alone."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cdp.errors import CDPError
from cdp.stack import control
from cdp.stack.config import StackConfig, load
from cdp.stack.postgres import Postgres
from tests.stack_plugin import ROOT, free_port


@pytest.fixture
def other(tmp_path: Path) -> Iterator[StackConfig]:
    """A second stack beside the tests' own; as root its data may lie outside the folder."""
    names = ("POSTGRES", "BOLT", "GRAPH_HTTP", "VALKEY", "WEB")
    env = {f"UNISON_{name}_PORT": str(free_port()) for name in names}
    config = load(ROOT, env | {"UNISON_VAR": str(tmp_path / "var")})
    yield config
    control.down(config, lambda line: None)
    shutil.rmtree(Postgres(config).data, ignore_errors=True)


def test_up_twice_killed_and_up_again(other: StackConfig) -> None:
    said: list[str] = []
    servers = control.stores(other, {})
    try:
        control.up(other, servers, said.append)
        control.up(other, servers, said.append)
        assert [line for line in said if "already" in line] == [
            "postgres: already running", "graph: already running", "valkey: already running",
        ]  # fmt: skip
        for server in servers:
            process = server.process.find()
            assert process is not None
            os.kill(process.pid, signal.SIGKILL)
            psutil.wait_procs([process], timeout=10)
        said.clear()
        control.up(other, servers, said.append)
        assert [line for line in said if "started" in line] == [
            "postgres: started", "graph: started", "valkey: started",
        ]  # fmt: skip
    finally:
        control.down(other, said.append)
    assert [server.process.find() for server in servers] == [None, None, None]


def test_a_port_held_by_another_is_said(other: StackConfig, tmp_path: Path) -> None:
    mine = load(ROOT)
    clash = StackConfig(ROOT, other.var, mine.ports, other.secrets)
    with pytest.raises(CDPError, match="UNISON_POSTGRES_PORT"):
        control.up(clash, control.stores(clash, {}), lambda line: None)


def test_servers_named_in_the_environment_are_used_instead(other: StackConfig) -> None:
    env = {"DATABASE_URL": "postgresql://elsewhere/x", "NEO4J_URI": "bolt://elsewhere"}
    assert [server.name for server in control.stores(other, env)] == ["valkey"]
