"""The messages of MessagePack-RPC: their records, how a decoded message is classified, and how values are packed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack
import msgspec

from runtime.errors import Code, RpcError

MAX_METHOD_CHARS = 128
MAX_MSGID = (1 << 32) - 1
REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2


class Request(msgspec.Struct, frozen=True):
    """`[0, msgid, method, params]`: expects one response with the same msgid."""

    msgid: int
    method: str
    params: list[Any]


class Packed(msgspec.Struct, frozen=True):
    """A value that is encoded already: a result that is sent many times is packed once."""

    data: bytes


class Response(msgspec.Struct, frozen=True):
    """`[1, msgid, error, result]`: error is None on success."""

    msgid: int
    error: Any
    result: Any


class Notification(msgspec.Struct, frozen=True):
    """`[2, method, params]`: has no response."""

    method: str
    params: list[Any]


class Invalid(msgspec.Struct, frozen=True):
    """A malformed request whose msgid could be read: respond with INVALID_REQUEST, and go on."""

    msgid: int
    message: str


class Fatal(msgspec.Struct, frozen=True):
    """The bytes can't be understood: say why with `send_fatal`, and close. Always the last event."""

    code: Code
    message: str


Event = Request | Response | Notification | Invalid | Fatal


def is_msgid(value: Any) -> bool:
    """Whether it is a valid msgid."""
    return type(value) is int and 0 <= value <= MAX_MSGID  # not isinstance: True is no msgid


def pack(value: Any) -> Packed:
    """Encode a value. Packed values in lists and maps are inserted as they are.

    Raises:
        TypeError, ValueError, OverflowError: MessagePack can't hold a value in it.
    """
    try:
        return Packed(msgpack.packb(value))
    except TypeError:
        return Packed(b"".join(_packed_parts(value)))


def _packed_parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, Packed):
        yield value.data
    elif isinstance(value, list):
        yield msgpack.Packer().pack_array_header(len(value))
        for item in value:
            yield from _packed_parts(item)
    elif isinstance(value, dict):
        yield msgpack.Packer().pack_map_header(len(value))
        for key, item in value.items():
            yield msgpack.packb(key)
            yield from _packed_parts(item)
    else:
        yield msgpack.packb(value)


def classify(message: Any) -> Event:
    """The event for a decoded message. RpcError if it is not valid and has no msgid for a response."""
    # Patterns compare with ==, and False == 0 and 1.0 == 1: so the type is checked first.
    kind = message[0] if isinstance(message, list) and message and type(message[0]) is int else None
    match kind, message:
        case 0, [_, msgid, str(method), list(params)] if is_msgid(msgid) and len(method) <= MAX_METHOD_CHARS:
            return Request(msgid, method, params)
        case (0, [_, _, bytes(name), list()]) | (2, [_, bytes(name), list()]) if (text := _text(name)) is not None:
            return classify([*message[:-2], text, message[-1]])
        case 0, [_, msgid, *_] if is_msgid(msgid):
            return Invalid(
                msgid,
                "not a request: it is [0, msgid, method, params], "
                f"method a string of at most {MAX_METHOD_CHARS} characters, params an array",
            )
        case 1, [_, msgid, error, result] if is_msgid(msgid):
            return Response(msgid, error, result)
        case 2, [_, str(method), list(params)]:
            return Notification(method, params)
    raise RpcError(
        Code.INVALID_REQUEST,
        "not a MessagePack-RPC message: it is [0, msgid, method, params], [1, msgid, error, result] or "
        f"[2, method, params], msgid in 0..{MAX_MSGID}",
    )


def _text(data: bytes) -> str | None:
    """A name that was sent as binary (pynvim does so; MessagePack-RPC is older than the separate string type)."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
