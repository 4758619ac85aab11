"""A progress bar on stderr, shown only for work that takes longer than a few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

SHOWN_AFTER_S = 2.0


class Advance(Protocol):
    """Called with the units done since the last call, and with the new total if it has changed."""

    def __call__(self, units: int, total: int | None = None, /) -> None: ...


@contextmanager
def reporting(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar as `progress` does. Yields a function that any thread may call with the units done and the total."""
    told = 0
    with progress(title, None) as advance:

        def report(done: int, of: int) -> None:
            nonlocal told
            advance(done - told, of)
            told = done

        yield report


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Advance]:
    """Show a bar on stderr, if that is a terminal.

    Yields a function to call with the units done, and with the new total if it changes.
    """
    if not sys.stderr.isatty():
        yield lambda _units, _total=None: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), redirect_stdout=False)
    task, began = bar.add_task(title, total=total), time.monotonic()

    def advance(units: int, total: int | None = None) -> None:
        bar.update(task, advance=units, total=total)  # None leaves the total as it is
        if time.monotonic() - began > SHOWN_AFTER_S:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()
