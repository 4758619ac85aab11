"""MessagePack-RPC as a state machine: bytes in, events out.

Theory of operation. A `Connection` is one side of one connection. It does no I/O. The owner of the socket passes the
bytes that arrive to `receive_data`, and gets events back (or passes them to `feed`, and takes one event at a time with
`next_event`); it sends the bytes that `send_request`, `send_response` and `send_notification` return. So one
implementation serves TCP, Unix sockets, WebSocket and tests, and the same bytes give the same events, however they are
split into pieces.

Bytes become events in three steps:

1. *Cut*: find where a message ends. Length-prefixed framing says it; on the plain stream, `Extent` reads only the
   MessagePack headers, and remembers its position between calls. Both refuse a message that is too long, too deep or
   has too many values as soon as a header announces it.
2. *Decode* the whole message with msgpack.
3. *Classify* it as a request, a response or a notification, as the specification lays them out
   (github.com/msgpack-rpc/msgpack-rpc, spec.md).

Two kinds of errors come out as events. `Invalid`: a malformed request whose msgid could be read; the response is
INVALID_REQUEST, and the connection goes on. `Fatal`: everything else. No response is possible then, because no msgid is
known (the specification has no response without one, and 0 may belong to another request). So the owner sends
`send_fatal`, an `error` notification, and closes the connection. After a Fatal, a `Connection` ignores further bytes.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgpack

from runtime.errors import Code, RpcError
from runtime.wire.extent import MAX_DEPTH, MAX_VALUES, Extent, unreadable
from runtime.wire.messages import (
    MAX_METHOD_CHARS,
    MAX_MSGID,
    NOTIFICATION,
    REQUEST,
    RESPONSE,
    Event,
    Fatal,
    Invalid,
    Notification,
    Packed,
    Request,
    Response,
    classify,
    is_msgid,
    pack,
)

__all__ = [  # the messages belong to the protocol, so they can be imported from here
    "MAX_MESSAGE_BYTES",
    "MAX_METHOD_CHARS",
    "MAX_MSGID",
    "Connection",
    "Event",
    "Fatal",
    "Framing",
    "Invalid",
    "MessageTooLarge",
    "Notification",
    "Packed",
    "Request",
    "Response",
    "pack",
]

MAX_MESSAGE_BYTES = (1 << 24) - 1  # the largest whose length prefix still begins with 0x00

_PREFIX_BYTES = 4
_NONE_YET = object()
_FOREIGN = {0x16: "; this looks like TLS, which is not spoken here"} | dict.fromkeys(
    b"GPHDO", "; this looks like HTTP, which is not spoken here"
)
_SMALL_BYTES = 512
_NO_CONTAINER = bytes(byte for byte in range(256) if not (0x80 <= byte < 0xA0 or 0xDC <= byte < 0xE0))


class Framing(Enum):
    """How messages are separated in the byte stream."""

    STREAM = "stream"  # one MessagePack value after another
    PREFIXED = "prefixed"  # each after its length, a big-endian u32
    FRAMES = "frames"  # each in its own frame, of a transport with frames (WebSocket)


class MessageTooLarge(ValueError):
    """A message that is to be sent is over the limit. `size` and `limit` are in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a message of {size} bytes; the limit is {limit}")
        self.size = size
        self.limit = limit


class Connection:
    """One side of a MessagePack-RPC connection.

    Args:
        framing: the framing that a client uses; None, on the server's side, follows the client's first byte.
        max_message_bytes: the largest message that may arrive, without its length prefix; may be changed later.
        max_sent_bytes: the largest message that may be sent.
        max_depth: how deep arrays and maps may be nested.
        max_values: how many values a message may have.

    Raises:
        ValueError: a size is not in 1..MAX_MESSAGE_BYTES.

    >>> client, server = Connection(Framing.STREAM), Connection()
    >>> server.receive_data(client.send_request(7, "server.health", []))
    [Request(msgid=7, method='server.health', params=[])]
    >>> client.receive_data(server.send_response(7, result={"ready": True}))
    [Response(msgid=7, error=None, result={'ready': True})]
    """

    def __init__(
        self,
        framing: Framing | None = None,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_sent_bytes: int = MAX_MESSAGE_BYTES,
        max_depth: int = MAX_DEPTH,
        max_values: int = MAX_VALUES,
    ) -> None:
        for name, limit in (("max_message_bytes", max_message_bytes), ("max_sent_bytes", max_sent_bytes)):
            if not 1 <= limit <= MAX_MESSAGE_BYTES:
                raise ValueError(f"{name} {limit} is not in 1..{MAX_MESSAGE_BYTES}")
        self.framing = framing
        self.max_message_bytes = max_message_bytes
        self._max_sent_bytes, self._max_depth, self._max_values = max_sent_bytes, max_depth, max_values
        self._buffer = bytearray()  # begins where a message (or its prefix) begins
        self._extent: Extent | None = None  # of the message at the buffer's start, on the plain stream
        self._failed = False
        self.message_bytes = 0
        """The size of the message of the latest event."""

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """The events that `data` completes, in order; none after a Fatal."""
        self.feed(data)
        return list(iter(self.next_event, None))

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes that arrived; with Framing.FRAMES, exactly one frame."""
        if self._failed:
            return
        if self.framing is Framing.FRAMES:
            self._buffer += len(data).to_bytes(_PREFIX_BYTES, "big")
        self._buffer += data

    def next_event(self) -> Event | None:
        """The next event of the bytes that were fed; None if they have no more, and after a Fatal."""
        try:
            message = self._next_message()
            return None if message is _NONE_YET else classify(message)
        except RpcError as error:
            return self._fail(error.code, error.message)

    @property
    def buffered(self) -> int:
        """How many bytes were fed and belong to no event yet."""
        return len(self._buffer)

    def receive_eof(self) -> list[Event]:
        """The peer sends no more: a Fatal if a message is incomplete, else nothing."""
        if not self._buffer:
            return []
        return [self._fail(Code.PARSE_ERROR, f"the connection ended {len(self._buffer)} bytes into a message")]

    def send_request(self, msgid: int, method: str, params: list[Any]) -> bytes:
        """The bytes of a request. ValueError for a msgid that is not in 0..2^32-1, and as `send_response`."""
        if not is_msgid(msgid):
            raise ValueError(f"msgid {msgid!r} is not in 0..{MAX_MSGID}")
        return self._encode([REQUEST, msgid, method, params])

    def send_response(self, msgid: int, *, error: Any = None, result: Any = None) -> bytes:
        """The bytes of a response: an error, or a result if `error` is None.

        Raises:
            MessageTooLarge: it is over the limit.
            TypeError, ValueError, OverflowError: MessagePack can't hold a value in it.
        """
        if error is None and isinstance(result, Packed):
            return self._framed(b"\x94\x01" + msgpack.packb(msgid) + b"\xc0" + result.data)
        return self._encode([RESPONSE, msgid, error, result if error is None else None])

    def send_notification(self, method: str, params: list[Any]) -> bytes:
        """The bytes of a notification. Errors as `send_response`."""
        return self._framed(pack([NOTIFICATION, method, params]).data)

    def send_fatal(self, code: Code, message: str) -> bytes:
        """The bytes of the `error` notification, which says why the connection will be closed."""
        return self.send_notification("error", [{"code": int(code), "message": message}])

    def _encode(self, message: list[Any]) -> bytes:
        return self._framed(msgpack.packb(message))

    def _framed(self, payload: bytes) -> bytes:
        if len(payload) > self._max_sent_bytes:
            raise MessageTooLarge(len(payload), self._max_sent_bytes)
        if self.framing is Framing.PREFIXED:
            return len(payload).to_bytes(_PREFIX_BYTES, "big") + payload
        return payload  # also before the peer's first byte: a server then sends only errors

    def _fail(self, code: Code, message: str) -> Fatal:
        self._failed = True
        self._buffer.clear()
        return Fatal(code, message)

    def _next_message(self) -> Any:
        """Remove and return the message at the buffer's start; _NONE_YET if it is incomplete. RpcError if refused."""
        if not self._buffer:
            return _NONE_YET
        if self.framing is None:
            self.framing = _detect(self._buffer[0])
        if self.framing is not Framing.STREAM:
            message = self._cut_prefixed()
        elif self._extent is None and (small := self._decode_small()) is not _NONE_YET:
            return small
        else:
            message = self._cut_stream()
        if message is None:
            return _NONE_YET
        self.message_bytes = len(message)
        return _decode(message)

    def _decode_small(self) -> Any:
        """The result of `_cut_stream` and `_decode`, five times as fast, for most messages of a few hundred bytes.

        A buffer this small can't hold many values; and with few bytes that may begin an array or a map, it can't be
        nested deeply. For a message that is incomplete, malformed or doubtful it returns _NONE_YET: the others decide.
        """
        head = bytes(self._buffer[: min(_SMALL_BYTES, self.max_message_bytes, self._max_values)])
        if len(head.translate(None, _NO_CONTAINER)) > self._max_depth:
            return _NONE_YET
        try:
            message, size = msgpack.unpackb(head), len(head)
        except msgpack.ExtraData as more:  # the next message's
            message, size = more.unpacked, len(head) - len(more.extra)
        except ValueError:
            return _NONE_YET
        self._take(size)
        self.message_bytes = size
        return message

    def _cut_stream(self) -> bytearray | None:
        extent = self._extent = self._extent or self._new_extent(self.max_message_bytes)
        if not extent.advance(self._buffer):
            return None
        self._extent = None
        return self._take(extent.end)

    def _cut_prefixed(self) -> bytearray | None:
        if len(self._buffer) < _PREFIX_BYTES:
            return None
        length = int.from_bytes(self._buffer[:_PREFIX_BYTES], "big")
        if not 1 <= length <= self.max_message_bytes:
            raise unreadable(f"{self._a_length} of {length} bytes; a message has 1 to {self.max_message_bytes}")
        if len(self._buffer) < _PREFIX_BYTES + length:
            return None
        self._take(_PREFIX_BYTES)
        message = self._take(length)
        extent = self._new_extent(length)
        if not extent.advance(message):
            raise unreadable(f"{self._a_length} of {length} bytes, but the message goes on")
        if extent.end < length:
            raise unreadable(f"{self._a_length} of {length} bytes, but the message ends after {extent.end}")
        return message

    @property
    def _a_length(self) -> str:
        return "a frame" if self.framing is Framing.FRAMES else "a length prefix"

    def _new_extent(self, max_bytes: int) -> Extent:
        return Extent(max_bytes, self._max_depth, self._max_values)

    def _take(self, length: int) -> bytearray:
        taken = self._buffer[:length]
        del self._buffer[:length]  # moves a pointer, does not copy the rest
        return taken


def _detect(first: int) -> Framing:
    """The framing that a connection's first byte stands for."""
    if first == 0x00:  # the high byte of a length, as no message reaches 16 MiB
        return Framing.PREFIXED
    if first in (0x93, 0x94, 0xDC):  # an array of 3, of 4, or of a 16-bit count
        return Framing.STREAM
    raise unreadable(
        f"the first byte is 0x{first:02x}; MessagePack-RPC begins with 0x93, 0x94 or 0xdc, length-prefixed with 0x00"
        + _FOREIGN.get(first, "")
    )


def _decode(message: bytearray) -> Any:
    try:
        return msgpack.unpackb(message)
    except ValueError as error:  # text that is not UTF-8, a map key that is not text, a malformed timestamp
        raise unreadable(f"a value that can't be read: {error}") from error
