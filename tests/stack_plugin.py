"""Loaded before Django's settings: gives the tests an embedded stack of their own."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
PORTS = (
    "UNISON_POSTGRES_PORT", "UNISON_BOLT_PORT", "UNISON_GRAPH_HTTP_PORT", "UNISON_VALKEY_PORT",
    "UNISON_WEB_PORT",
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


os.environ.setdefault("UNISON_VAR", str(ROOT / "var" / "test"))
os.environ["DJANGO_ALLOWED_HOSTS"] = "testserver,127.0.0.1,localhost"
os.environ.setdefault("UNISON_LOG_LEVEL", "WARNING")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
for name in PORTS:
    os.environ.setdefault(name, str(free_port()))


def pytest_configure(config: pytest.Config) -> None:
    if config.option.collectonly or config.option.help:
        return
    from cdp.stack import control
    from cdp.stack.config import load

    stack = load(ROOT)
    control.down(stack, lambda line: None)  # left by a run that was killed
    control.up(stack, control.stores(stack), lambda line: print(f"test stack: {line}"))


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.option.collectonly or config.option.help:
        return
    from cdp.stack import control
    from cdp.stack.config import load

    control.down(load(ROOT), lambda line: None)
