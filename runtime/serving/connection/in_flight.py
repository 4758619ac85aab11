"""The calls of one connection that wait or run."""

from __future__ import annotations

import asyncio
from typing import Any

from runtime.serving.limits import Limits


class InFlight:
    """A connection's calls that wait or run, by msgid."""

    def __init__(self, limits: Limits) -> None:
        self.calls: dict[int, asyncio.Future[Any]] = {}
        self._limits = limits
        self._bytes = 0  # of their requests

    def __len__(self) -> int:
        return len(self.calls)

    def has_room(self, besides: int) -> bool:
        """Whether another may begin, with so many answers that are not taken yet."""
        return len(self.calls) + besides < self._limits.max_in_flight and self._bytes < self._limits.max_in_flight_bytes

    def add(self, msgid: int, call: asyncio.Future[Any], size: int) -> None:
        """One more, whose request had `size` bytes."""
        self.calls[msgid] = call
        self._bytes += size

    def remove(self, msgid: int, size: int) -> None:
        """It is done."""
        del self.calls[msgid]
        self._bytes -= size

    def cancel_all(self) -> None:
        """Cancel every one."""
        for call in list(self.calls.values()):
            call.cancel()
