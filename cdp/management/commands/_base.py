"""What our commands share: errors said in one line, progress that suits a terminal or a log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cdp.errors import CDPError


@contextmanager
def told_plainly() -> Iterator[None]:
    """Our errors end a command with exit code 1 and one line, not a traceback."""
    try:
        yield
    except CDPError as error:
        raise CommandError(str(error)) from error


@contextmanager
def steps() -> Iterator[Callable[[str, int], None]]:
    """Work in steps whose length nobody knows beforehand: a bar for each step that reports."""
    with progress() as bar:
        tasks: dict[str, TaskID] = {}

        def advance(name: str, count: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=None)
            bar.advance(tasks[name], count)

        yield advance


def progress() -> Progress:
    """A progress bar on stderr; in a log, where a bar cannot move, only its last state."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=Console(file=sys.stderr), transient=False,
    )  # fmt: skip
