"""A progress bar that short work never shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHOWN_AFTER_S = 2.0


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with the units done. The bar is on stderr, and none where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
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

    def advance(units: int) -> None:
        bar.advance(task, units)
        if time.monotonic() - began > SHOWN_AFTER_S:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()
