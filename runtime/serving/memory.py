"""Gives memory that is free back to the system.

glibc keeps what a program frees for its next use: after a burst of large responses hundreds of megabytes stay with the
process, in pieces between what is still used. malloc_trim(3) gives the whole pages among them back. Where the C library
has no such function, nothing is done.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

from runtime.serving.connection.timers import Timers

WORTH_BYTES = 32 << 20  # sent and received since the last time; for less it is not done
SOON_S = 2.0  # after a burst, and at least between two


def find_trim() -> Callable[[int], int] | None:
    """malloc_trim of the C library, if it has one."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows takes no None
        return None
    return trim


class Trimmer:
    """Gives free memory back some time after it is told of the end of a burst, in a thread of its own."""

    def __init__(self) -> None:
        self._trim = find_trim()
        self._timers: Timers | None = None  # the event loop's, once it runs
        self._moved_bytes = 0
        self.trims = 0  # begun

    def burst_is_over(self) -> None:
        """What was needed for a while is free. In the event loop."""
        if self._trim is not None:
            self._timers = self._timers or Timers()
            self._timers.start("trim", SOON_S, self._begin)

    def connection_is_over(self, moved_bytes: int) -> None:
        """A connection has gone; all connections of the server together have sent and received so many bytes so far."""
        if moved_bytes - self._moved_bytes >= WORTH_BYTES:
            self._moved_bytes = moved_bytes
            self.burst_is_over()

    def close(self) -> None:
        """Not any more."""
        self._trim = None
        if self._timers is not None:
            self._timers.stop_all()

    def _begin(self) -> None:
        if self._trim is not None:
            self.trims += 1
            asyncio.get_running_loop().run_in_executor(None, self._trim, 0)
