"""A stack of the bench's own, the machine in words, and tables for people and programs."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
PORTS = {"POSTGRES": 35432, "BOLT": 37687, "GRAPH_HTTP": 32480, "VALKEY": 36379, "WEB": 38000}


def set_up(name: str) -> None:
    """Django on a stack under ``var/bench-NAME``, empty at first; call before importing models."""
    sys.path.insert(0, str(ROOT))
    os.environ["UNISON_VAR"] = str(ROOT / "var" / f"bench-{name}")
    os.environ["UNISON_LOG_LEVEL"] = "WARNING"
    os.environ["DJANGO_SETTINGS_MODULE"] = "cdp.settings"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    for port, number in PORTS.items():
        os.environ.setdefault(f"UNISON_{port}_PORT", str(number))
    import django

    django.setup()


@contextmanager
def stack(*, fresh: bool = True) -> Iterator[Any]:
    """The stores up, migrated, and empty when ``fresh``; down at the end."""
    from django.conf import settings
    from django.core.management import call_command

    from cdp.graph import cypher, projection, session
    from cdp.stack import control

    config = settings.STACK
    control.up(config, control.stores(config), lambda line: None)
    try:
        call_command("migrate", verbosity=0, interactive=False)
        projection.ensure_schema()
        if fresh:
            call_command("flush", verbosity=0, interactive=False)
            for statement in (cypher.CLEAR_EDGES, cypher.CLEAR_NODES):
                while next(iter(session.stream(statement, limit=5000)))["n"]:
                    pass
        yield config
    finally:
        control.down(config, lambda line: None)


def machine() -> str:
    """Processor, cores, memory, Python, system."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{cpu}, {os.cpu_count()} cores, {pages / 2**30:.0f} GiB, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}"
    )


def show(title: str, rows: list[dict[str, Any]], out: Path | None) -> None:
    """Print rows as a table with the machine below; also as JSON when a path is given."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*(_text(row.get(name, "")) for name in names))
    console = Console(width=max(100, Console().width))
    console.print(table)
    console.print(machine())
    if out is not None:
        out.write_text(json.dumps(rows, indent=1) + "\n")


def _text(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
