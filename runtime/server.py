"""The runtime's server: listens, keeps the connections, ends them in order.

What happens on a connection is in `runtime.peer`.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server as WebSocketServer

from runtime import websocket
from runtime.access import Tokens
from runtime.calls import Service
from runtime.errors import Code
from runtime.limits import Limits
from runtime.memory import Trimmer
from runtime.metrics import Counts
from runtime.outbox import Budget
from runtime.peer import CLOSE_S, Peer
from runtime.protocol import Framing


class Server:
    """Serves `service` to clients over TCP and, where they are asked for, a Unix socket and WebSocket.

    `port` 0 takes a free one; `.port` says which, and `.websocket_port` likewise. `tls` is for TCP and WebSocket. With
    `tokens`, whoever comes over those gives one first; a Unix socket is its owner's alone. `origins` are the sites
    whose pages may use the WebSocket. `async with Server(…) as server` starts and closes it.
    """

    def __init__(
        self,
        service: Service,
        host: str = "127.0.0.1",
        port: int = 7767,
        *,
        limits: Limits | None = None,
        unix: Path | None = None,
        websocket_port: int | None = None,
        tls: SSLContext | None = None,
        tokens: Tokens | None = None,
        origins: Sequence[str] = (),
    ) -> None:
        self._service = service
        self._host, self._port, self._unix, self._websocket_port = host, port, unix, websocket_port
        self._limits = limits or Limits()
        self._tls, self._tokens, self._origins = tls, tokens, origins
        self._listeners: dict[str, asyncio.Server | WebSocketServer] = {}
        self._peers: set[Peer] = set()
        self.counts = Counts(getattr(service, "methods", ()))
        self._trimmer = Trimmer()
        self._budget = Budget(self._limits.max_unsent_total_bytes, self._trimmer.burst_is_over)
        self._all_gone = asyncio.Event()
        self._closed = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None

    async def bind(self) -> None:
        """Take the addresses, but refuse whoever connects, until `start`.

        OSError if an address can't be had; then none is taken.
        """
        try:
            await self._bind()
        except OSError:
            await self.close()
            raise

    async def start(self) -> None:
        """Listen. OSError if an address can't be had; then on none of them."""
        if not self._listeners:
            await self.bind()
        try:
            for listener in self._listeners.values():
                await listener.start_serving()
            if self._unix is not None:
                self._listeners["unix"] = await _listen_unix(self._new_peer, self._unix)
        except OSError:
            await self.close()
            raise

    async def _bind(self) -> None:
        loop = asyncio.get_running_loop()
        handshake: dict[str, Any] = {}
        if self._tls is not None:
            handshake = {"ssl_handshake_timeout": self._limits.handshake_timeout_s, "ssl_shutdown_timeout": CLOSE_S}
        # asyncio sets TCP_NODELAY: a response is one write, and waiting to join it with another only delays it.
        self._listeners["tcp"] = await loop.create_server(
            lambda: self._new_peer(tokens=self._tokens),
            self._host,
            self._port,
            ssl=self._tls,
            start_serving=False,
            **handshake,
        )
        if self._unix is not None:
            # Only tried. Whoever starts at the same time would take a socket that does not answer for one left behind.
            (await _listen_unix(self._new_peer, self._unix, start_serving=False)).close()
            self._unix.unlink(missing_ok=True)
        if self._websocket_port is not None:
            self._listeners["websocket"] = await websocket.listen(
                lambda: self._new_peer(Framing.FRAMES, self._tokens),
                self._host,
                self._websocket_port,
                limits=self._limits,
                tls=self._tls,
                origins=self._origins,
            )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        return self._bound("tcp", self._port)

    @property
    def websocket_port(self) -> int | None:
        """The TCP port that WebSocket is listened for on, if it is."""
        return None if self._websocket_port is None else self._bound("websocket", self._websocket_port)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._peers)

    @property
    def unsent_bytes(self) -> int:
        """Of responses that are made and that clients have not taken."""
        return self._budget.bytes

    @property
    def closing(self) -> bool:
        """Whether it takes no more requests."""
        return self._ending is not None

    def _bound(self, kind: str, asked: int) -> int:
        sockets = list(self._listeners[kind].sockets) if kind in self._listeners else []
        port: int = sockets[0].getsockname()[1] if sockets else asked
        return port

    async def serve_forever(self) -> None:
        """Start if need be, and return when `close` is done."""
        if not self._listeners:
            await self.start()
        await self._closed.wait()

    async def close(self, grace_s: float = 5.0) -> None:
        """Stop accepting, give running requests up to `grace_s` seconds, then close every connection."""
        if self._ending is None:
            for listener in self._listeners.values():
                _stop_listening(listener)
            if self._unix is not None and "unix" in self._listeners:
                self._unix.unlink(missing_ok=True)
            drains = [asyncio.create_task(peer.drain(grace_s)) for peer in self._peers]
            self._ending = asyncio.create_task(self._until_closed(drains))
        await asyncio.shield(self._ending)  # whoever gives up waiting leaves nobody else waiting for ever

    async def _until_closed(self, drains: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*drains)
        while self._peers:  # closed, and cut off after CLOSE_S
            self._all_gone.clear()
            await self._all_gone.wait()
        for listener in self._listeners.values():
            await listener.wait_closed()
        self._trimmer.close()
        self._closed.set()

    def _new_peer(self, framing: Framing | None = None, tokens: Tokens | None = None) -> Peer:
        return Peer(self._service, self._limits, self._made, self._lost, framing, tokens, self.counts, self._budget)

    def _made(self, peer: Peer) -> None:
        self.counts.connections += 1
        peer.responses.connection = self.counts.connections
        if self.closing:  # accepted just before the listener closed
            peer.close()
        elif len(self._peers) >= self._limits.max_connections:
            peer.refuse(Code.OVERLOADED, f"the server has its {self._limits.max_connections} connections")
        else:
            self._peers.add(peer)

    def _lost(self, peer: Peer) -> None:
        self._peers.discard(peer)
        self._trimmer.connection_is_over(self.counts.sent_bytes + self.counts.received_bytes)
        if not self._peers:
            self._all_gone.set()


async def _listen_unix(new_peer: Callable[[], Peer], path: Path, *, start_serving: bool = True) -> asyncio.Server:
    """Listen on a socket that only this user may open. OSError if another server answers on it."""
    if path.is_socket():  # left behind, unless somebody answers
        try:
            _, writer = await asyncio.open_unix_connection(path)
        except OSError:
            path.unlink(missing_ok=True)
        else:
            writer.close()
            raise OSError(errno.EADDRINUSE, f"another server listens on {path}")
    before = os.umask(0o177)
    try:
        return await asyncio.get_running_loop().create_unix_server(new_peer, path, start_serving=start_serving)
    finally:
        os.umask(before)


def _stop_listening(listener: asyncio.Server | WebSocketServer) -> None:
    if isinstance(listener, WebSocketServer):
        listener.close(close_connections=False)  # the peers close theirs, when what runs is done
    else:
        listener.close()
