"""Start, find and stop one background process, surviving stale pid files and reused pids."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from cdp.errors import CDPError


class ManagedProcess:
    """A server process remembered by pid *and* start time, so that a reused pid is never ours."""

    def __init__(self, name: str, run_dir: Path) -> None:
        self.name = name
        self.pid_file = run_dir / f"{name}.pid"
        self.log_file = run_dir / f"{name}.log"

    def find(self) -> psutil.Process | None:
        """The running process, or None; a stale pid file is removed."""
        try:
            saved = json.loads(self.pid_file.read_text())
            process = psutil.Process(saved["pid"])
            alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
            if alive and abs(process.create_time() - saved["started"]) < 2:
                return process
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, psutil.Error):
            pass
        self.pid_file.unlink(missing_ok=True)
        return None

    def start(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> psutil.Process:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            child = subprocess.Popen(
                command, cwd=cwd, env=None if env is None else dict(env), user=user,
                group=None if user is None else psutil_group(user), extra_groups=[] if user else None,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        process = psutil.Process(child.pid)
        self.adopt(process)
        return process

    def adopt(self, process: psutil.Process) -> None:
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.pid_file.write_text(json.dumps({"pid": process.pid, "started": process.create_time()}))

    def wait_ready(self, probe: Callable[[], bool], seconds: float) -> None:
        """Poll ``probe`` until it is true.

        Raises:
            CDPError: ``server_failed`` with the end of the log when the process ends or time is up.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if probe():
                return
            if self.find() is None:
                raise CDPError("server_failed", f"{self.name} ended at start:\n{self.log_tail()}")
            time.sleep(0.1)
        raise CDPError(
            "server_failed", f"{self.name} not ready in {seconds:.0f} s:\n{self.log_tail()}"
        )

    def stop(self, seconds: float = 30) -> bool:
        """Terminate the process (then kill it); True when one was running."""
        process = self.find()
        if process is None:
            return False
        family = [process, *process.children(recursive=True)]
        process.terminate()
        psutil.wait_procs([process], timeout=seconds)
        _, alive = psutil.wait_procs(family, timeout=1)
        for left in alive:
            left.kill()
        psutil.wait_procs(alive, timeout=5)
        self.pid_file.unlink(missing_ok=True)
        return True

    def log_tail(self, lines: int = 15) -> str:
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])


def psutil_group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def port_answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def require_free_port(port: int, setting: str, server: str) -> None:
    """Raise ``port_taken`` naming the port, its holder and the setting that moves it."""
    if not port_answers(port):
        return
    raise CDPError(
        "port_taken",
        f"{server} needs port {port} of 127.0.0.1, and {_holder(port)} holds it; "
        f"stop that process or choose another port with {setting}=…",
        field=setting,
    )


def _holder(port: int) -> str:
    try:
        for item in psutil.net_connections("tcp"):
            if (
                item.status == psutil.CONN_LISTEN
                and item.laddr
                and item.laddr.port == port
                and item.pid
            ):
                process = psutil.Process(item.pid)
                return f"process {item.pid} ({process.name()})"
    except psutil.Error:
        pass
    return "another process"


def is_root() -> bool:
    return os.geteuid() == 0
