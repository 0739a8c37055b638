"""Unison's own processes in the background: web, workers, beat."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

from cdp.stack.config import PORT_SETTINGS, StackConfig
from cdp.stack.process import ManagedProcess, require_free_port


class Service:
    """One of our programs run as a background process of the embedded stack."""

    def __init__(
        self, name: str, config: StackConfig, arguments: list[str], port: int | None = None
    ):
        self.name = name
        self.config = config
        self.arguments = arguments
        self.port = port
        self.process = ManagedProcess(name, config.var / "run")

    def up(self) -> str:
        if self.process.find():
            return "already running"
        if self.port is not None:
            require_free_port(self.port, PORT_SETTINGS["web"][0], "the web server")
        command = [sys.executable, "-m", *self.arguments]
        self.process.start(command, cwd=self.config.root, env=os.environ)
        self.process.wait_ready(self._probe(), 60)
        return "started"

    def down(self) -> bool:
        return self.process.stop(20)

    def _probe(self) -> Callable[[], bool]:
        if self.port is not None:
            return lambda: _healthy(f"http://127.0.0.1:{self.port}/healthz")
        log = self.process.log_file
        start = log.stat().st_size if log.exists() else 0

        def said_ready() -> bool:
            text = log.read_text(errors="replace")[max(0, start - 200) :]
            return "ready." in text or "beat: Starting" in text

        return said_ready


def services(config: StackConfig) -> list[Service]:
    port = config.ports["web"]
    celery = ["celery", "-A", "workers", "--quiet"]
    web = ["uvicorn", "api.asgi:application", "--host", "127.0.0.1", "--port", str(port),
           "--no-access-log", "--lifespan", "off"]  # fmt: skip
    worker = [*celery, "worker", "-l", "info", "-P", "prefork"]
    schedule = str(config.var / "run" / "beat-schedule")
    return [
        Service("web", config, web, port),
        Service("worker", config, [*worker, "-c", "2", "-Q", "events,content", "-n", "events@%h"]),
        Service("learning", config, [*worker, "-c", "2", "-Q", "learning", "-n", "learning@%h"]),
        Service("beat", config, [*celery, "beat", "-l", "info", "-s", schedule]),
    ]


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
