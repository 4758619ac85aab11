"""Timers by name: each name has at most one running timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """Timers of the running event loop, by name."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def start(self, name: str, seconds: float | None, act: Callable[[], object]) -> None:
        """Call `act` in `seconds`, unless stopped before. Does nothing if this timer runs, or `seconds` is None."""
        if seconds is not None and name not in self._handles:
            self._handles[name] = self._loop.call_later(seconds, self._ring, name, act)

    def stop(self, name: str) -> None:
        """Stop a timer, if it runs."""
        if handle := self._handles.pop(name, None):
            handle.cancel()

    def stop_all(self) -> None:
        """Stop all timers."""
        for name in list(self._handles):
            self.stop(name)

    def _ring(self, name: str, act: Callable[[], object]) -> None:
        del self._handles[name]
        act()
