"""How many threads may be asked for."""

from __future__ import annotations

import os

FOR_EACH_CORE = 4  # more only wait for each other, and a thousand times as many may be all that the system has


def most_threads() -> int:
    """The most threads that an engine may be given on this machine."""
    return FOR_EACH_CORE * (os.cpu_count() or 1)


def check_threads(threads: int | None) -> None:
    """Look at a number of threads before any is made; None is left to the engine.

    Raises:
        ValueError: the number is out of range; the message names the range.
    """
    if threads is not None and not 1 <= threads <= most_threads():
        most = f"{most_threads()} ({FOR_EACH_CORE} for each core of this machine)"
        raise ValueError(f"threads {threads} is out of range: 1 to {most}")
