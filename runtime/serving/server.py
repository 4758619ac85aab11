"""The runtime's server: listens, holds the open connections, and closes them in an orderly way.

`runtime.serving.connection.peer` handles one connection; `runtime.serving.admission` decides which may stay.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

from runtime.calls import Service
from runtime.errors import Code
from runtime.serving.access import Origins, Tokens, is_loopback
from runtime.serving.admission import Admission
from runtime.serving.connection.outbox import Budget
from runtime.serving.connection.peer import CLOSE_S, Peer
from runtime.serving.connection.websocket import WebSocketLink
from runtime.serving.counts import Counts
from runtime.serving.limits import Limits
from runtime.serving.listening import Listener, tcp_sockets, unix_socket
from runtime.serving.memory import Trimmer
from runtime.wire.protocol import Framing

logger = logging.getLogger(__name__)


class Arrival:
    """One accepted socket, until it is closed. `at_once`: it needs neither a handshake nor a token."""

    def __init__(self, accepted: socket.socket, number: int, since: float, *, at_once: bool) -> None:
        self.number, self.since = number, since
        self.address, self.local = _where_from(accepted)
        self.peer: Peer | None = None  # once the handshakes are done
        self.refused: tuple[Code, str] | None = None  # why to close it, once a peer can send the error
        self.transport: asyncio.Transport | None = None
        self.greeting: asyncio.Task[None] | None = None
        self.begun = False  # a transport owns the socket, and closes it
        self._accepted, self._at_once = accepted, at_once

    @property
    def unauthorised(self) -> bool:
        return not self._at_once if self.peer is None else not self.peer.authentication.complete

    def turn_away(self, code: Code, message: str) -> None:
        self.refused = code, message
        if self.peer is not None:
            self.peer.refuse(code, message)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        elif self.greeting is not None:
            self.greeting.cancel()
        if not self.begun:
            self._accepted.close()


class Server:
    """Serves `service` to clients over TCP and, optionally, a Unix socket and WebSocket.

    `async with Server(…) as server` starts and closes it.

    Args:
        service: what answers the requests.
        host: address for TCP and WebSocket.
        port: TCP port; 0 takes a free one, and `.port` says which.
        limits: limits of a client and of the server.
        unix: path of a Unix socket, which only its owner may use, without a token.
        websocket_port: TCP port for WebSocket; 0 as for `port`.
        tls: context for TCP and WebSocket.
        tokens: clients over TCP and WebSocket must first give one of them.
        origins: sites whose pages may use the WebSocket.
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
        self._tls, self._tokens = tls, tokens
        self._origins = Origins(origins, host)
        self._listeners: dict[str, Listener] = {}
        self._bound: dict[str, int] = {}  # port by kind of listener
        self._arrivals: set[Arrival] = set()  # all open sockets
        self._peers: set[Peer] = set()  # those whose handshakes are done
        self._admission = Admission(self._limits)
        self.counts = Counts(getattr(service, "methods", ()))
        self._trimmer = Trimmer()
        self._budget = Budget(self._limits.max_unsent_total_bytes, self._trimmer.burst_is_over)
        self._changed = asyncio.Event()  # a connection is closed
        self._closed = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._drains: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. OSError if one address is not available; then it listens on none."""
        try:
            await self._listen()
        except OSError:
            await self.close()
            raise

    async def _listen(self) -> None:
        self._listen_on("tcp", await tcp_sockets(self._host, self._port), self._tls)
        if self._unix is not None:
            self._listen_on("unix", [await unix_socket(self._unix)], None)
        if self._websocket_port is not None:
            self._listen_on("websocket", await tcp_sockets(self._host, self._websocket_port), self._tls)
        self._admission.fit_to_descriptors()

    def _listen_on(self, kind: str, sockets: list[socket.socket], tls: SSLContext | None) -> None:
        self._listeners[kind] = Listener(sockets, lambda accepted: self._accepted(kind, accepted, tls))
        if kind != "unix":
            self._bound[kind] = self._listeners[kind].port

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._bound.get("tcp", self._port)

    @property
    def websocket_port(self) -> int | None:
        """The TCP port for WebSocket, if there is one."""
        return self._bound.get("websocket", self._websocket_port)

    @property
    def connections(self) -> int:
        """How many connections are open, those in a handshake included."""
        return len(self._admission.admitted)

    @property
    def unsent_bytes(self) -> int:
        """Bytes of finished responses that clients have not read."""
        return self._budget.bytes

    @property
    def closing(self) -> bool:
        """Whether it is shutting down and takes no more requests."""
        return self._ending is not None

    async def serve_forever(self) -> None:
        """Start, unless it is started already; return when `close` is done."""
        if not self._listeners:
            await self.start()
        await self._closed.wait()

    async def close(self, grace_s: float = 5.0) -> None:
        """Stop accepting, give running requests up to `grace_s` seconds, then close every connection."""
        if self._ending is None:
            for peer in self._peers:
                self._drain(peer, grace_s)
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)  # if this caller is cancelled, others still see the end

    async def _end(self) -> None:
        for listener in self._listeners.values():
            await listener.stop()
        if self._unix is not None and "unix" in self._listeners:
            self._unix.unlink(missing_ok=True)
        await asyncio.sleep(0)
        hurry = asyncio.get_running_loop().call_later(CLOSE_S, self._abort_handshakes)
        while self._arrivals:
            self._changed.clear()
            await self._changed.wait()
        hurry.cancel()
        self._admission.close()
        self._trimmer.close()
        await asyncio.gather(*self._drains)
        self._closed.set()

    def _drain(self, peer: Peer, grace_s: float) -> None:
        self._drains.add(asyncio.create_task(peer.drain(grace_s)))

    def _abort_handshakes(self) -> None:
        """Close connections that are still in a handshake when the server closes."""
        for arrival in self._arrivals:
            if arrival.peer is None:
                arrival.abort()

    # Connections, from accept to their end

    def _accepted(self, kind: str, accepted: socket.socket, tls: SSLContext | None) -> None:
        self.counts.connections += 1
        tokens = None if kind == "unix" else self._tokens
        loop = asyncio.get_running_loop()
        at_once = tls is None and tokens is None and kind != "websocket"
        arrival = Arrival(accepted, self.counts.connections, loop.time(), at_once=at_once)
        self._arrivals.add(arrival)
        self._admission.admit(arrival)
        arrival.greeting = loop.create_task(self._greet(arrival, kind, accepted, tls, tokens))
        arrival.greeting.add_done_callback(lambda task: self._lost(arrival) if task.cancelled() else None)

    async def _greet(
        self, arrival: Arrival, kind: str, accepted: socket.socket, tls: SSLContext | None, tokens: Tokens | None
    ) -> None:
        """Do the TLS handshake, if there is one, and create a peer or a WebSocket."""

        def protocol() -> asyncio.BaseProtocol:
            arrival.begun = True
            if kind == "websocket":
                new_peer = functools.partial(self._new_peer, arrival, tokens, Framing.FRAMES)
                return WebSocketLink(new_peer, self._limits, self._origins, lambda: self._lost(arrival))
            return self._new_peer(arrival, tokens)

        handshake: dict[str, Any] = {}
        if tls is not None:
            handshake = {"ssl_handshake_timeout": self._limits.handshake_timeout_s, "ssl_shutdown_timeout": CLOSE_S}
        try:
            if kind != "unix":  # a response is one write: Nagle's algorithm would only delay it
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            arrival.transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                protocol, accepted, ssl=tls, **handshake
            )
        except OSError as error:
            logger.info("%s: no connection was made: %s", arrival.address or "a local client", error)
            accepted.close()
            self._lost(arrival)

    def _new_peer(self, arrival: Arrival, tokens: Tokens | None, framing: Framing | None = None) -> Peer:
        made, lost = functools.partial(self._made, arrival), lambda _: self._lost(arrival)
        return Peer(self._service, self._limits, made, lost, framing, tokens, self.counts, self._budget)

    def _made(self, arrival: Arrival, peer: Peer) -> None:
        arrival.peer = peer
        peer.responses.connection = arrival.number
        if arrival.refused is not None:
            peer.refuse(*arrival.refused)
            return
        self._peers.add(peer)
        if self.closing:  # accepted just before the listener closed
            self._drain(peer, 0)

    def _lost(self, arrival: Arrival) -> None:
        if arrival.peer is not None:
            self._peers.discard(arrival.peer)
        self._admission.forget(arrival)
        self._arrivals.discard(arrival)
        self._trimmer.connection_is_over(self.counts.sent_bytes + self.counts.received_bytes)
        self._changed.set()


def _where_from(accepted: socket.socket) -> tuple[str, bool]:
    """The client's address without its port, and whether it is one of this machine."""
    try:
        peer = accepted.getpeername()
    except OSError:  # closed already
        return "", False
    if not isinstance(peer, tuple):  # a Unix socket
        return "", True
    return peer[0], is_loopback(peer[0].partition("%")[0])
