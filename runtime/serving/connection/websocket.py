"""WebSocket as a link of peers: each message in a binary message of its own, otherwise as over TCP.

The protocol is that of `websockets`, in its form without I/O; this is what joins it to an asyncio transport and to a
peer, so that the peer's limits hold here too, and nothing is read that nobody has room for.
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

_READ_BYTES = 1 << 14  # at a time: of the smallest frames some 2,700, after which other connections have their turn
PING_S = 20.0  # without a byte of the client, after which it is sent a ping
PONG_S = 20.0  # for it to send anything then


class WebSocketLink(asyncio.BufferedProtocol):
    """A connection that is to become a WebSocket, and then a `Link`: what an asyncio transport is to a peer.

    `new_peer` makes the peer when the handshake is done, with Framing.FRAMES. `on_lost` is called when it is closed.
    """

    _transport: asyncio.Transport

    def __init__(
        self, new_peer: Callable[[], Peer], limits: Limits, origins: Origins, on_lost: Callable[[], None]
    ) -> None:
        self._new_peer, self._limits, self._origins, self._on_lost = new_peer, limits, origins, on_lost
        # No extension is agreed to: content is dense already, and compressed frames that unfold without end are an
        # attack.
        self._protocol = ServerProtocol(max_size=min(limits.max_message_bytes, HELLO_BYTES))
        self._peer: Peer | None = None
        self._inbox = bytearray(_READ_BYTES)
        self._parts = bytearray()  # of a message that comes in several frames
        self._in_parts = False
        self._unfinished = False  # a message has begun
        self._loop = asyncio.get_running_loop()
        self._timers = Timers()
        self._heard = self._loop.time()
        self._pinged = False  # and not heard of since
        self._reading = True  # the peer has room
        self._writing = True  # the transport has room
        self._over = False  # all is said, and what comes is dropped

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self._name = "{}:{}".format(*address[:2]) if isinstance(address, tuple) else "a client that has gone"
        self._timers.start("handshake", self._limits.handshake_timeout_s, self._give_up_waiting)

    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return self._inbox

    def buffer_updated(self, nbytes: int) -> None:
        if self._over:
            return
        self._heard, self._pinged = self._loop.time(), False
        if self._peer is not None:
            # A frame is taken in whole, so a client that has not given its token may send small ones only.
            most = self._limits.max_message_bytes
            self._protocol.max_message_size = most if self._peer.door.open else min(most, HELLO_BYTES)
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
        self._read_or_wait()  # a pong to each ping would need room
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
        """The response to a page of a site that may not come in."""
        try:
            origin = request.headers.get("Origin")
        except MultipleValuesError:
            return self._protocol.reject(400, "This request has several Origin headers; a browser sends one.\n")
        if self._origins.allow(origin):
            return None
        told = shown(origin, 200).strip("'\"")
        why = f"Pages of {told} may not use this runtime. Whoever runs it lets them in with: --origin {told}"
        if origin == "null":
            why += " (that is every page that was opened as a file, and every site that hides its name)"
        return self._protocol.reject(403, f"{why}\n")

    def _give_up_waiting(self) -> None:
        logger.info("%s: no WebSocket within %s s", self._name, self._limits.handshake_timeout_s)
        self._transport.abort()

    # Frames

    def _take(self, events: Sequence[object]) -> None:
        """Hand over what has come whole, and see what has not."""
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
        # Every byte is one of a frame's. So if none of these ended a frame, one has begun.
        self._note_unfinished(self._in_parts or not events)

    def _note_unfinished(self, unfinished: bool) -> None:
        self._unfinished = unfinished
        if unfinished and self._reading and self._writing:
            self._timers.start("message", self._limits.message_timeout_s, self._give_up_receiving)
        else:
            self._timers.stop("message")

    def _give_up_receiving(self) -> None:
        assert self._peer is not None
        what = f"a message took longer than {self._limits.message_timeout_s} s to arrive"
        self._peer.refuse(Code.DEADLINE_EXCEEDED, what)

    def _check_alive(self) -> None:
        """Send a ping to a client that is silent; cut off one that stays so. Not while it is we who do not listen."""
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
        if SEND_EOF not in written:  # it is an empty one, and the last
            return
        # What the client still sends is read, and dropped, until it closes: unread, it would reset the connection.
        self._over = True
        self._timers.stop("handshake")
        self._timers.start("abort", CLOSE_S, self._transport.abort)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _end(self) -> None:
        """The client has closed the connection, or sent what is no WebSocket frame."""
        self._over = True
        if self._peer is not None:
            self._peer.eof_received()

    # What a peer asks of its link

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
            self._heard, self._pinged = self._loop.time(), False  # its silence was ours
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
        self._note_unfinished(self._unfinished)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.close()  # which sends a close frame; what comes until it is answered is dropped

    def close(self) -> None:
        if self._protocol.state is OPEN:
            self._protocol.send_close(1000)
            self._flush()
        elif self._protocol.state is CONNECTING:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()
