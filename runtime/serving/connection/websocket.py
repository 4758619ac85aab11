"""WebSocket as a link of a peer: each message is one binary WebSocket message; the rest is as over TCP.

It connects the I/O-free protocol of the `websockets` package with an asyncio transport and a peer. So the peer's limits
hold here too, and nothing is read while there is no room for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import cast

from websockets.datastructures import MultipleValuesError
from websockets.frames import BINARY, CONT, TEXT, Frame
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN, SEND_EOF
from websockets.server import ServerProtocol

from runtime.errors import Code, shown
from runtime.serving.access import Origins
from runtime.serving.connection.peer import CLOSE_S, HELLO_BYTES, Peer
from runtime.serving.connection.timers import Timers
from runtime.serving.limits import Limits

logger = logging.getLogger(__name__)

_READ_BYTES = 1 << 14  # at a time: about 2,700 of the smallest frames, after which other connections are served
PING_S = 20.0  # a client that sends nothing for so long is sent a ping
PONG_S = 20.0  # and then has so long to send something


class WebSocketLink(asyncio.BufferedProtocol):
    """One WebSocket connection, and the `Link` of its peer.

    Args:
        new_peer: makes the peer, with Framing.FRAMES, when the handshake is done.
        limits: limits of a client.
        origins: sites whose pages may connect.
        on_lost: called when the connection is closed.
    """

    _transport: asyncio.Transport

    def __init__(
        self, new_peer: Callable[[], Peer], limits: Limits, origins: Origins, on_lost: Callable[[], None]
    ) -> None:
        self._new_peer, self._limits, self._origins, self._on_lost = new_peer, limits, origins, on_lost
        # No extension is accepted: content hardly compresses, and a small compressed frame may expand without limit.
        self._protocol = ServerProtocol(max_size=min(limits.max_message_bytes, HELLO_BYTES))
        self._peer: Peer | None = None
        self._inbox = bytearray(_READ_BYTES)
        self._parts = bytearray()  # the fragments of a message so far
        self._in_parts = False
        self._unfinished = False  # a message has begun and is not complete
        self._loop = asyncio.get_running_loop()
        self._timers = Timers()
        self._heard = self._loop.time()
        self._pinged = False  # a ping was sent, and nothing has come since
        self._reading = True  # the peer has room for messages
        self._writing = True  # the transport has room for data
        self._over = False  # closing: what still comes is dropped

    # Called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self._name = "{}:{}".format(*address[:2]) if isinstance(address, tuple) else "a client that has gone"
        self._timers.start("handshake", self._limits.handshake_timeout_s, self._handshake_timed_out)

    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return self._inbox

    def buffer_updated(self, nbytes: int) -> None:
        if self._over:
            return
        self._heard, self._pinged = self._loop.time(), False
        if self._peer is not None:
            # A frame is buffered whole, so a client without a token may send small ones only.
            most = self._limits.max_message_bytes
            self._protocol.max_message_size = most if self._peer.authentication.complete else min(most, HELLO_BYTES)
        self._protocol.receive_data(self._inbox[:nbytes])
        self._take(self._protocol.events_received())

    def eof_received(self) -> None:
        self._end()  # and the transport closes, since this returns None

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._timers.stop_all()
        if self._peer is not None:
            self._peer.connection_lost(exc)
        self._on_lost()

    def pause_writing(self) -> None:
        self._writing = False
        self._read_or_wait()  # since each ping is answered with a pong, which needs room
        if self._peer is not None:
            self._peer.pause_writing()

    def resume_writing(self) -> None:
        self._writing = True
        self._read_or_wait()
        if self._peer is not None:
            self._peer.resume_writing()

    # The handshake

    def _shake_hands(self, request: Request) -> None:
        if self._protocol.close_expected():  # a close frame came with the request, before there is a WebSocket
            return
        response = self._protocol.accept(request)
        if response.status_code == 101 and (refusal := self._refuse_origin(request)) is not None:
            response = refusal
        self._protocol.send_response(response)
        if self._protocol.state is not OPEN:
            logger.info("%s: no WebSocket: %s", self._name, " ".join(response.body.decode().split()))
            return
        self._timers.stop("handshake")
        self._flush()
        self._timers.start("ping", PING_S, self._check_alive)
        self._peer = self._new_peer()
        self._peer.attach(self, self._transport.get_extra_info("peername"))

    def _refuse_origin(self, request: Request) -> Response | None:
        """The HTTP response to a page whose site is not allowed; None if it is."""
        try:
            origin = request.headers.get("Origin")
        except MultipleValuesError:
            return self._protocol.reject(400, "This request has several Origin headers; a browser sends one.\n")
        if self._origins.allow(origin):
            return None
        site = shown(origin, 200).strip("'\"")
        why = f"Pages of {site} may not use this runtime. Its operator lets them in with: --origin {site}"
        if origin == "null":
            why += " (that is every page that was opened as a file, and every site that hides its name)"
        return self._protocol.reject(403, f"{why}\n")

    def _handshake_timed_out(self) -> None:
        logger.info("%s: no WebSocket within %s s", self._name, self._limits.handshake_timeout_s)
        self._transport.abort()

    # Frames

    def _take(self, events: Sequence[object]) -> None:
        """Pass complete messages to the peer, and note whether one is incomplete."""
        messages: list[bytes | memoryview] = []
        text = False
        for event in events:
            if isinstance(event, Request):
                self._shake_hands(event)
            elif isinstance(event, Frame) and not text:
                text = event.opcode is TEXT
                if event.opcode is BINARY and event.fin:
                    messages.append(memoryview(event.data))
                elif event.opcode in (BINARY, CONT):
                    self._parts += event.data
                    self._in_parts = not event.fin
                    if event.fin:
                        messages.append(bytes(self._parts))
                        self._parts.clear()
        self._flush()
        if self._peer is None:
            return
        if messages:
            self._peer.receive(*messages)
        if text:
            self._peer.refuse(Code.PARSE_ERROR, "a text frame; messages are MessagePack, in binary frames")
        if self._over:
            self._end()
        # Every byte belongs to a frame. So if no frame is complete, one has begun.
        self._note_unfinished(self._in_parts or not events)

    def _note_unfinished(self, unfinished: bool) -> None:
        self._unfinished = unfinished
        if unfinished and self._reading and self._writing:
            self._timers.start("message", self._limits.message_timeout_s, self._receive_timed_out)
        else:
            self._timers.stop("message")

    def _receive_timed_out(self) -> None:
        assert self._peer is not None
        what = f"a message took longer than {self._limits.message_timeout_s} s to arrive"
        self._peer.refuse(Code.DEADLINE_EXCEEDED, what)

    def _check_alive(self) -> None:
        """Ping a client that sends nothing; disconnect it if it stays silent. Not while the server does not read."""
        assert self._peer is not None
        silent = self._loop.time() - self._heard
        if not (self._reading and self._writing):
            self._timers.start("ping", PING_S, self._check_alive)
        elif silent < PING_S:
            self._timers.start("ping", PING_S - silent, self._check_alive)
        elif not self._pinged:
            self._pinged = True
            self._protocol.send_ping(b"")
            self._flush()
            self._timers.start("ping", PONG_S, self._check_alive)
        else:
            self._peer.refuse(Code.DEADLINE_EXCEEDED, f"no pong, nor anything else, within {PONG_S:g} s of a ping")

    def _flush(self) -> None:
        written = self._protocol.data_to_send()
        if data := b"".join(written):
            self._transport.write(data)
        if SEND_EOF not in written:  # SEND_EOF is empty, and always the last item
            return
        # Read and drop what the client sends until it closes: unread bytes would reset the connection.
        self._over = True
        self._timers.stop("handshake")
        self._timers.start("abort", CLOSE_S, self._transport.abort)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _end(self) -> None:
        """The client has closed the connection, or sent something that is not a WebSocket frame."""
        self._over = True
        if self._peer is not None:
            self._peer.eof_received()

    # Called by the peer

    def write(self, data: bytes) -> None:
        if self._protocol.state is OPEN:
            self._protocol.send_binary(data)
            self._flush()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._reading = False
        self._read_or_wait()

    def resume_reading(self) -> None:
        self._reading = True
        self._read_or_wait()

    def _read_or_wait(self) -> None:
        if self._reading and self._writing:
            self._heard, self._pinged = self._loop.time(), False  # it was silent because the server did not read
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
        self._note_unfinished(self._unfinished)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.close()  # sends a close frame; what comes before the client's is dropped

    def close(self) -> None:
        if self._protocol.state is OPEN:
            self._protocol.send_close(1000)
            self._flush()
        elif self._protocol.state is CONNECTING:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()
