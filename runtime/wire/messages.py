"""The messages of MessagePack-RPC: what each is, how a decoded one is told from another, and how values are packed."""

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
    """`[0, msgid, method, params]`: wants one response with the same msgid."""

    msgid: int
    method: str
    params: list[Any]


class Packed(msgspec.Struct, frozen=True):
    """A value that is MessagePack already: a result that may be sent many times is packed once."""

    data: bytes


class Response(msgspec.Struct, frozen=True):
    """`[1, msgid, error, result]`: error is None on success."""

    msgid: int
    error: Any
    result: Any


class Notification(msgspec.Struct, frozen=True):
    """`[2, method, params]`: wants no answer."""

    method: str
    params: list[Any]


class Invalid(msgspec.Struct, frozen=True):
    """A malformed request whose msgid could be read: answer INVALID_REQUEST, and go on."""

    msgid: int
    message: str


class Fatal(msgspec.Struct, frozen=True):
    """The peer can't be understood any more: say why with `send_fatal`, and close. Always the last event."""

    code: Code
    message: str


Event = Request | Response | Notification | Invalid | Fatal


def is_msgid(value: Any) -> bool:
    """Whether it may be the msgid of a request."""
    return type(value) is int and 0 <= value <= MAX_MSGID  # not isinstance: True is no msgid


def pack(value: Any) -> Packed:
    """A value's MessagePack; what is Packed already in lists and maps is taken as it is.

    TypeError, ValueError or OverflowError for what MessagePack can't hold.
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
    """The event a decoded message is. RpcError if it is none and there is no msgid to answer to."""
    # A pattern compares with ==, for which False is 0 and 1.0 is 1: so the type is looked at first.
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
    """A name that came as binary (pynvim sends some so; MessagePack-RPC is older than the difference)."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
