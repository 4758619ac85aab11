"""WebSocket as a link of peers: each message in a binary frame of its own, otherwise as over TCP."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from ssl import SSLContext

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from runtime.errors import Code
from runtime.limits import Limits
from runtime.peer import CLOSE_S, HELLO_BYTES, Peer

_FULL_BYTES = 1 << 16  # that wait to be sent; the peer pauses while there are more
ANY_ORIGIN = "*"


async def listen(
    new_peer: Callable[[], Peer],
    host: str,
    port: int,
    *,
    limits: Limits,
    tls: SSLContext | None = None,
    origins: Sequence[str] = (),
) -> Server:
    """A server of peers that speak WebSocket, bound and not started. `new_peer` makes those with Framing.FRAMES.

    A browser says which site a page is from; it is let in only if that is in `origins` (ANY_ORIGIN: every one). What is
    no browser says none, and is let in. OSError if the address can't be had.
    """

    async def handle(connection: ServerConnection) -> None:
        await WebSocketLink(connection, limits).run(new_peer())

    allowed = None if ANY_ORIGIN in origins else [None, *(Origin(origin) for origin in origins)]
    return await serve(
        handle,
        host,
        port,
        ssl=tls,
        origins=allowed,
        compression=None,  # content is dense already, and compressed frames that unfold without end are an attack
        max_size=limits.max_message_bytes,
        max_queue=1,
        open_timeout=limits.handshake_timeout_s,
        close_timeout=CLOSE_S,
        server_header=None,
        start_serving=False,
    )


class WebSocketLink:
    """A `Link`: what an asyncio transport is to a peer, on a WebSocket connection."""

    def __init__(self, connection: ServerConnection, limits: Limits) -> None:
        self._connection, self._limits = connection, limits
        self._outgoing: deque[bytes] = deque()
        self._outgoing_bytes = 0
        self._something = asyncio.Event()  # to send, or to end for
        self._readable = asyncio.Event()
        self._readable.set()
        self._closing = False
        self._peer: Peer

    async def run(self, peer: Peer) -> None:
        """Carry frames until either side ends the connection."""
        self._peer = peer
        peer.attach(self, self._connection.remote_address)
        sending = asyncio.create_task(self._send_all())
        try:
            await self._receive_all()
        finally:
            peer.connection_lost(None)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _receive_all(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                # The library takes a frame in whole, so a client that has not given its token may send small ones only.
                most = self._limits.max_message_bytes
                self._connection.protocol.max_message_size = most if self._peer.door.open else min(most, HELLO_BYTES)
                frame = await self._connection.recv()
                if isinstance(frame, str):
                    self._peer.refuse(Code.PARSE_ERROR, "a text frame; messages are MessagePack, in binary frames")
                else:
                    self._peer.receive(frame)
                await self._readable.wait()

    async def _send_all(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while self._outgoing or not self._closing:
                self._something.clear()
                while self._outgoing:
                    data = self._outgoing.popleft()
                    await self._connection.send(data)
                    before, self._outgoing_bytes = self._outgoing_bytes, self._outgoing_bytes - len(data)
                    if self._outgoing_bytes <= _FULL_BYTES < before:
                        self._peer.resume_writing()
                if not self._closing:
                    await self._something.wait()
        await self._connection.close()

    # What a peer asks of its link

    def write(self, data: bytes) -> None:
        before, self._outgoing_bytes = self._outgoing_bytes, self._outgoing_bytes + len(data)
        self._outgoing.append(data)
        self._something.set()
        if before <= _FULL_BYTES < self._outgoing_bytes:
            self._peer.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self._outgoing_bytes

    def pause_reading(self) -> None:
        self._readable.clear()

    def resume_reading(self) -> None:
        self._readable.set()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.close()  # which sends a close frame, and drops what comes until it is answered

    def close(self) -> None:
        self._closing = True
        self._something.set()
        self._readable.set()  # to see the end

    def abort(self) -> None:
        self._connection.transport.abort()
        self._readable.set()
