"""Between connections and the service: what a call is to the one and to the other."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from runtime.scheduling.jobs import Flow


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
