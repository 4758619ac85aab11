"""MessagePack-RPC as a state machine: bytes in, events out.

Theory of operation. A `Connection` is one side of one connection. It never reads or writes: whoever owns the
socket hands what arrived to `receive_data` and gets events back, and sends the bytes that `send_request`,
`send_response` and `send_notification` return. So one implementation serves TCP, Unix sockets, WebSocket and
tests, and however the bytes are cut up, the same bytes give the same events.

Bytes become events in three steps:

1. *Cut*: find where a message ends. Length-prefixed framing says it; on the plain stream `_Extent` reads only the
   MessagePack headers, and keeps its place between calls. Both refuse a message that is too long, too deep or has
   too many values as soon as a header announces it: before it is buffered and before anything is allocated for it.
   (Five bytes can announce an array of 4 billion; a decoder that believes them is a way to fill the memory.)
2. *Decode* the whole message with msgpack.
3. *Classify* it as a request, a response or a notification, as the specification lays them out
   (github.com/msgpack-rpc/msgpack-rpc, spec.md).

Two kinds of fault come out as events. `Invalid`: a request that can't be one, but whose msgid could be read; it is
answered with INVALID_REQUEST and the connection goes on. `Fatal`: everything else; nothing can be answered, because
no msgid is known (the specification has no response without one, and 0 is some other request's), so the owner says
why with `send_fatal`, an `error` notification, and closes. After it a `Connection` takes no more bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgpack

from runtime.errors import Code, RpcError

MAX_MESSAGE_BYTES = (1 << 24) - 1  # the largest whose length prefix still begins with 0x00
MAX_DEPTH = 64  # arrays and maps inside each other, the message itself counted
MAX_VALUES = 1 << 17  # values in one message, keys counted; a byte that says "empty map" costs 64 bytes decoded
MAX_METHOD_CHARS = 128
MAX_MSGID = (1 << 32) - 1

_REQUEST, _RESPONSE, _NOTIFICATION = 0, 1, 2
_PREFIX_BYTES = 4


class Framing(Enum):
    """How messages follow each other in the byte stream."""

    STREAM = "stream"  # one MessagePack value after another
    PREFIXED = "prefixed"  # each after its length, a big-endian u32


@dataclass(frozen=True)
class Request:
    """`[0, msgid, method, params]`: wants one response with the same msgid."""

    msgid: int
    method: str
    params: list[Any]


@dataclass(frozen=True)
class Response:
    """`[1, msgid, error, result]`: error is None on success."""

    msgid: int
    error: Any
    result: Any


@dataclass(frozen=True)
class Notification:
    """`[2, method, params]`: wants no answer."""

    method: str
    params: list[Any]


@dataclass(frozen=True)
class Invalid:
    """A malformed request whose msgid could be read: answer INVALID_REQUEST, and go on."""

    msgid: int
    message: str


@dataclass(frozen=True)
class Fatal:
    """The peer can't be understood any more: say why with `send_fatal`, and close. Always the last event."""

    code: Code
    message: str


Event = Request | Response | Notification | Invalid | Fatal


class MessageTooLarge(ValueError):
    """A message to send is over the limit. `size` and `limit` are in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a message of {size} bytes; the limit is {limit}")
        self.size = size
        self.limit = limit


class Connection:
    """One side of a MessagePack-RPC connection.

    `framing` None is the server's side: it follows the peer's first byte. A client names the framing it speaks.
    `max_message_bytes` bounds a message in both directions, its length prefix not counted; ValueError if that is
    not in 1..MAX_MESSAGE_BYTES.

    >>> client, server = Connection(Framing.STREAM), Connection()
    >>> server.receive_data(client.send_request(7, "server.health", []))
    [Request(msgid=7, method='server.health', params=[])]
    >>> client.receive_data(server.send_response(7, result={"ready": True}))
    [Response(msgid=7, error=None, result={'ready': True})]
    """

    def __init__(self, framing: Framing | None = None, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        if not 1 <= max_message_bytes <= MAX_MESSAGE_BYTES:
            raise ValueError(f"max_message_bytes {max_message_bytes} is not in 1..{MAX_MESSAGE_BYTES}")
        self.framing = framing
        self.max_message_bytes = max_message_bytes
        self._buffer = bytearray()  # begins where a message (or its prefix) begins
        self._extent = _Extent(max_message_bytes)  # of the message at the buffer's start, on the plain stream
        self._failed = False

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """The events that `data` completes, in order; none after a Fatal."""
        if self._failed:
            return []
        self._buffer += data
        events: list[Event] = []
        try:
            for message in self._messages():
                events.append(_classify(_decode(message)))
        except RpcError as error:
            events.append(self._fail(error.code, error.message))
        return events

    def receive_eof(self) -> list[Event]:
        """The peer sends no more: a Fatal if that cuts a message short, else nothing."""
        if not self._buffer:
            return []
        return [self._fail(Code.PARSE_ERROR, f"the connection ended {len(self._buffer)} bytes into a message")]

    def send_request(self, msgid: int, method: str, params: list[Any]) -> bytes:
        """The bytes of a request. ValueError for a msgid that is not in 0..2^32-1, and as `send_response`."""
        if not _is_msgid(msgid):
            raise ValueError(f"msgid {msgid!r} is not in 0..{MAX_MSGID}")
        return self._encode([_REQUEST, msgid, method, params])

    def send_response(self, msgid: int, *, error: Any = None, result: Any = None) -> bytes:
        """The bytes of a response: an error, or where that is None, a result.

        MessageTooLarge over the limit; TypeError, ValueError or OverflowError for what MessagePack can't hold.
        """
        return self._encode([_RESPONSE, msgid, error, result if error is None else None])

    def send_notification(self, method: str, params: list[Any]) -> bytes:
        """The bytes of a notification. Errors as `send_response`."""
        return self._encode([_NOTIFICATION, method, params])

    def send_fatal(self, code: Code, message: str) -> bytes:
        """The bytes of the `error` notification that tells a peer why it is about to be cut off."""
        return self.send_notification("error", [{"code": int(code), "message": message}])

    def _encode(self, message: list[Any]) -> bytes:
        payload: bytes = msgpack.packb(message)
        if len(payload) > self.max_message_bytes:
            raise MessageTooLarge(len(payload), self.max_message_bytes)
        if self.framing is Framing.PREFIXED:
            return len(payload).to_bytes(_PREFIX_BYTES, "big") + payload
        return payload  # the plain stream too before the peer's first byte: a server then has only errors to send

    def _fail(self, code: Code, message: str) -> Fatal:
        self._failed = True
        self._buffer.clear()
        return Fatal(code, message)

    def _messages(self) -> Iterator[bytearray]:
        """The whole messages at the buffer's start, taken off it. RpcError for what can't be cut."""
        if self.framing is None and self._buffer:
            self.framing = _detect(self._buffer[0])
        cut = self._cut_prefixed if self.framing is Framing.PREFIXED else self._cut_stream
        while (message := cut()) is not None:
            yield message

    def _cut_stream(self) -> bytearray | None:
        if not self._extent.advance(self._buffer):
            return None
        message = self._take(self._extent.end)
        self._extent = _Extent(self.max_message_bytes)
        return message

    def _cut_prefixed(self) -> bytearray | None:
        if len(self._buffer) < _PREFIX_BYTES:
            return None
        length = int.from_bytes(self._buffer[:_PREFIX_BYTES], "big")
        if not 1 <= length <= self.max_message_bytes:
            raise _unreadable(f"a length prefix of {length} bytes; a message has 1 to {self.max_message_bytes}")
        if len(self._buffer) < _PREFIX_BYTES + length:
            return None
        self._take(_PREFIX_BYTES)
        message = self._take(length)
        extent = _Extent(length)
        if not extent.advance(message):
            raise _unreadable(f"a length prefix of {length} bytes, but the message goes on")
        if extent.end < length:
            raise _unreadable(f"a length prefix of {length} bytes, but the message ends after {extent.end}")
        return message

    def _take(self, length: int) -> bytearray:
        taken = self._buffer[:length]
        del self._buffer[:length]  # moves a pointer, not the rest
        return taken


def _detect(first: int) -> Framing:
    """The framing that a connection's first byte means."""
    if first == 0x00:  # the high byte of a length, as no message reaches 16 MiB
        return Framing.PREFIXED
    if first in (0x93, 0x94, 0xDC):  # an array of 3, of 4, or of a 16-bit count
        return Framing.STREAM
    raise _unreadable(
        f"the first byte is 0x{first:02x}; MessagePack-RPC begins with 0x93, 0x94 or 0xdc, length-prefixed with 0x00"
    )


def _unreadable(message: str) -> RpcError:
    return RpcError(Code.PARSE_ERROR, message)


# What each first byte of a MessagePack value announces: (bytes of the count that follows, count or what to add to
# it, values per item). With 0 values per item the count is of bytes to skip. None: the byte no value begins with.
# github.com/msgpack/msgpack/blob/master/spec.md, "Overview".
_HEADS: list[tuple[int, int, int] | None] = [(0, 0, 0)] * 256  # integers of one byte, nil, false, true
for _n in range(16):
    _HEADS[0x80 + _n] = (0, _n, 2)  # fixmap
    _HEADS[0x90 + _n] = (0, _n, 1)  # fixarray
for _n in range(32):
    _HEADS[0xA0 + _n] = (0, _n, 0)  # fixstr
_HEADS[0xC1] = None
for _n in range(3):
    _HEADS[0xC4 + _n] = (1 << _n, 0, 0)  # bin 8, 16, 32
    _HEADS[0xC7 + _n] = (1 << _n, 1, 0)  # ext 8, 16, 32, and its type
    _HEADS[0xD9 + _n] = (1 << _n, 0, 0)  # str 8, 16, 32
for _n in range(2):
    _HEADS[0xCA + _n] = (0, 4 << _n, 0)  # float 32, 64
    _HEADS[0xDC + _n] = (2 << _n, 0, 1)  # array 16, 32
    _HEADS[0xDE + _n] = (2 << _n, 0, 2)  # map 16, 32
for _n in range(4):
    _HEADS[0xCC + _n] = (0, 1 << _n, 0)  # uint 8, 16, 32, 64
    _HEADS[0xD0 + _n] = (0, 1 << _n, 0)  # int 8, 16, 32, 64
for _n in range(5):
    _HEADS[0xD4 + _n] = (0, 1 + (1 << _n), 0)  # fixext 1, 2, 4, 8, 16, and its type


class _Extent:
    """Where the MessagePack value at a buffer's start ends, found from the headers alone."""

    def __init__(self, max_bytes: int) -> None:
        self.end = 0  # bytes known to belong to the value so far; they may not all be here yet
        self._max_bytes = max_bytes
        self._values = 1
        self._open = [1]  # values still to come, for each container that is open

    def advance(self, data: bytearray) -> bool:
        """Whether all of the value is in `data`, which has only grown since the last call. RpcError if refused."""
        while self._open and self.end < len(data):
            head = _HEADS[data[self.end]]
            if head is None:
                raise _unreadable("the byte 0xc1, which no MessagePack value begins with")
            count_bytes, count, values_per_item = head
            start = self.end + 1
            if start + count_bytes > len(data):
                return False
            count += int.from_bytes(data[start : start + count_bytes], "big")
            self._open[-1] -= 1
            if values_per_item:
                self.end = start + count_bytes
                self._enter(count * values_per_item)
            else:
                self.end = start + count_bytes + count
            while self._open and not self._open[-1]:
                self._open.pop()
            if self.end > self._max_bytes:
                raise _unreadable(f"a message of {self.end} bytes or more; the limit is {self._max_bytes}")
        return not self._open and self.end <= len(data)

    def _enter(self, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise _unreadable(f"a message of {self._values} values or more; the limit is {MAX_VALUES}")
        self._open.append(values)
        if len(self._open) > MAX_DEPTH + 1:  # + 1: the entry for the message itself
            raise _unreadable(f"arrays and maps nested more than {MAX_DEPTH} deep")


def _decode(message: bytearray) -> Any:
    try:
        return msgpack.unpackb(message)
    except ValueError as error:  # text that is not UTF-8, a map key that is not text, a malformed timestamp
        raise _unreadable(f"a value that can't be read: {error}") from error


def _is_msgid(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_MSGID  # not isinstance: True is no msgid


def _classify(message: Any) -> Event:
    """The event a decoded message is. RpcError if it is none and there is no msgid to answer to."""
    # A pattern compares with ==, for which False is 0 and 1.0 is 1: so the type is looked at first.
    kind = message[0] if isinstance(message, list) and message and type(message[0]) is int else None
    match kind, message:
        case 0, [_, msgid, str(method), list(params)] if _is_msgid(msgid) and len(method) <= MAX_METHOD_CHARS:
            return Request(msgid, method, params)
        case 0, [_, msgid, *_] if _is_msgid(msgid):
            return Invalid(
                msgid,
                "not a request: it is [0, msgid, method, params], "
                f"method a string of at most {MAX_METHOD_CHARS} characters, params an array",
            )
        case 1, [_, msgid, error, result] if _is_msgid(msgid):
            return Response(msgid, error, result)
        case 2, [_, str(method), list(params)]:
            return Notification(method, params)
    raise RpcError(
        Code.INVALID_REQUEST,
        "not a MessagePack-RPC message: it is [0, msgid, method, params], [1, msgid, error, result] or "
        f"[2, method, params], msgid in 0..{MAX_MSGID}",
    )
