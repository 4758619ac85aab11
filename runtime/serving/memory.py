"""Returns free memory to the system.

glibc keeps memory that a program frees, for later use. After a burst of large responses, hundreds of megabytes stay
with the process, in pieces between memory that is still in use. malloc_trim(3) returns the whole pages among them. If
the C library has no such function, this module does nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

from runtime.serving.connection.timers import Timers

TRIM_BYTES = 32 << 20  # sent and received since the last trim; with less, a trim is not worth it
TRIM_DELAY_S = 2.0  # from the end of a burst to the trim, and between two trims


def find_trim() -> Callable[[int], int] | None:
    """The C library's malloc_trim, if it has one."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows takes no None
        return None
    return trim


class Trimmer:
    """Returns free memory to the system TRIM_DELAY_S after a burst, in another thread."""

    def __init__(self) -> None:
        self._trim = find_trim()
        self._timers: Timers | None = None  # the event loop's, once it runs
        self._moved_bytes = 0
        self.trims = 0  # how many were started

    def burst_is_over(self) -> None:
        """Schedule a trim: much memory has become free. Call it in the event loop."""
        if self._trim is not None:
            self._timers = self._timers or Timers()
            self._timers.start("trim", TRIM_DELAY_S, self._begin)

    def connection_is_over(self, moved_bytes: int) -> None:
        """A connection has ended. `moved_bytes`: what all connections of the server have sent and received so far."""
        if moved_bytes - self._moved_bytes >= TRIM_BYTES:
            self._moved_bytes = moved_bytes
            self.burst_is_over()

    def close(self) -> None:
        """Stop: no more trims."""
        self._trim = None
        if self._timers is not None:
            self._timers.stop_all()

    def _begin(self) -> None:
        if self._trim is not None:
            self.trims += 1
            asyncio.get_running_loop().run_in_executor(None, self._trim, 0)
