"""Between connections and the service: what a call is to the one and to the other."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, Protocol

from runtime.jobs import Flow
from runtime.limits import Limits


class Notifier(Protocol):
    """A connection, as the service sees it."""

    flow: Flow

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification, once what was sent before has left. OSError if the client has gone."""


class Caller(NamedTuple):
    """Whom a request comes from."""

    peer: Notifier
    msgid: int

    @property
    def flow(self) -> Flow:
        """What the request counts to."""
        return self.peer.flow

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification about the request, once what was sent before has left. Numpy arrays become array maps.

        OSError if the peer has gone.
        """
        await self.peer.notify(method, {"msgid": self.msgid} | params)


class Service(Protocol):
    """What a server serves."""

    def call(self, method: str, params: dict[str, Any], *, connection: Caller) -> object:
        """The result of one request, or a coroutine or future of it.

        A result is `Packed`, or what MessagePack holds, and numpy arrays. RpcError for an error to report; any other
        exception is logged, and reported as INTERNAL_ERROR without its text. Cancelled when the client cancels or goes
        away. Array maps in `params` have become numpy arrays.
        """


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
