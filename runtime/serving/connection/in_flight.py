"""The requests of one connection that wait or run."""

from __future__ import annotations

import asyncio
from typing import Any

from runtime.serving.limits import Limits


class InFlight:
    """A connection's calls that wait or run, by msgid, and the bytes of their requests."""

    def __init__(self, limits: Limits) -> None:
        self.calls: dict[int, asyncio.Future[Any]] = {}
        self._limits = limits
        self._bytes = 0  # of their requests

    def __len__(self) -> int:
        return len(self.calls)

    def has_room(self, unread: int) -> bool:
        """Whether another call may start, given `unread`, the number of responses that the client has not read."""
        return len(self.calls) + unread < self._limits.max_in_flight and self._bytes < self._limits.max_in_flight_bytes

    def add(self, msgid: int, call: asyncio.Future[Any], size: int) -> None:
        """Add a call whose request had `size` bytes."""
        self.calls[msgid] = call
        self._bytes += size

    def remove(self, msgid: int, size: int) -> None:
        """Remove a call that is done."""
        del self.calls[msgid]
        self._bytes -= size

    def cancel_all(self) -> None:
        """Cancel all calls."""
        for call in list(self.calls.values()):
            call.cancel()
