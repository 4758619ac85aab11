"""The interface between connections and the service."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from runtime.scheduling.jobs import Flow


class Notifier(Protocol):
    """A connection, as the service sees it."""

    flow: Flow

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification, after waiting until earlier messages have left. OSError if the client has gone."""


class Caller(NamedTuple):
    """Where a request came from: its connection and its msgid."""

    peer: Notifier
    msgid: int

    @property
    def flow(self) -> Flow:
        """The connection, for the scheduler."""
        return self.peer.flow

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification about the request, as `Notifier.notify`. Numpy arrays become array maps.

        Raises:
            OSError: the client has disconnected.
        """
        await self.peer.notify(method, {"msgid": self.msgid} | params)


class Service(Protocol):
    """What a server serves."""

    def call(self, method: str, params: dict[str, Any], *, connection: Caller) -> object:
        """The result of one request, or a coroutine or future of it.

        A result is `Packed`, or consists of MessagePack's types and numpy arrays. The future is cancelled when the
        client cancels the request or disconnects.

        Args:
            method: the method's name.
            params: its parameters; array maps in them have become numpy arrays.
            connection: where the request came from.

        Raises:
            RpcError: an error for the client. Any other exception is logged, and the client gets INTERNAL_ERROR
                without its text.
        """
