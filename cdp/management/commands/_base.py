"""What our commands share: errors said in one line, progress that suits a terminal or a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
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


def progress() -> Progress:
    """A progress bar on stderr; in a log, where a bar cannot move, only its last state."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=Console(file=sys.stderr), transient=False,
    )  # fmt: skip
