"""Background processes: stale pid files, reused pids, taken ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest

from cdp.errors import CDPError
from cdp.stack.config import load
from cdp.stack.process import ManagedProcess, require_free_port

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_started_found_and_stopped(tmp_path: Path) -> None:
    process = ManagedProcess("sleeper", tmp_path)
    started = process.start(SLEEP, cwd=tmp_path)
    assert process.find() == started
    assert process.stop() is True
    assert process.find() is None
    assert process.stop() is False


def test_after_kill_9_the_stale_pid_file_is_dropped(tmp_path: Path) -> None:
    process = ManagedProcess("sleeper", tmp_path)
    started = process.start(SLEEP, cwd=tmp_path)
    os.kill(started.pid, signal.SIGKILL)
    psutil.wait_procs([started], timeout=5)
    assert process.find() is None
    assert not process.pid_file.exists()


@pytest.mark.parametrize(
    "content", ["", "{", '{"pid": 1}', json.dumps({"pid": os.getpid(), "started": 12.5})]
)
def test_a_pid_that_is_somebody_elses_is_never_ours(tmp_path: Path, content: str) -> None:
    process = ManagedProcess("sleeper", tmp_path)
    process.pid_file.write_text(content)
    assert process.find() is None


def test_one_that_ends_at_start_says_why(tmp_path: Path) -> None:
    process = ManagedProcess("broken", tmp_path)
    process.start([sys.executable, "-c", "raise SystemExit('no such luck')"], cwd=tmp_path)
    with pytest.raises(CDPError, match="no such luck"):
        process.wait_ready(lambda: False, 20)


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(CDPError) as error:
            require_free_port(port, "UNISON_POSTGRES_PORT", "PostgreSQL")
    assert error.value.code == "port_taken"
    assert f"port {port}" in error.value.message
    assert "UNISON_POSTGRES_PORT=" in error.value.message
    assert str(os.getpid()) in error.value.message
    require_free_port(port, "UNISON_POSTGRES_PORT", "PostgreSQL")


def test_secrets_are_made_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    env = {"UNISON_VAR": str(tmp_path / "v")}
    first, second = load(tmp_path, env), load(tmp_path, env)
    assert first.secrets == second.secrets
    assert (tmp_path / "v" / "secrets.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", ["0", "70000", "web", "-1", ""])
def test_a_bad_port_names_its_setting(tmp_path: Path, value: str) -> None:
    with pytest.raises(CDPError) as error:
        load(tmp_path, {"UNISON_VAR": str(tmp_path), "UNISON_WEB_PORT": value})
    assert (error.value.code, error.value.field) == ("bad_port", "UNISON_WEB_PORT")
