"""The stable numeric error codes, as docs/protocol.md lists them.

A code never changes its meaning. -32700 to -32600 are those of JSON-RPC, which MessagePack-RPC leaves open and
every RPC library knows; ours begin at 1000.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Collection, Iterable
from enum import IntEnum
from typing import Any


class Code(IntEnum):
    """What went wrong, as a stable number."""

    PARSE_ERROR = -32700  # the bytes are not MessagePack, or too large; the connection is closed
    INVALID_REQUEST = -32600  # MessagePack, but not a MessagePack-RPC message
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    MODEL_NOT_FOUND = 1000
    MODEL_REFUSED = 1001  # a model file whose checksum, card or format is wrong
    OUT_OF_RANGE = 1002  # a parameter of the right type whose value is not allowed
    UNSATISFIED = 1003  # no candidate met all wishes
    OVERLOADED = 1100  # try again after details["retry_after_ms"]
    CANCELLED = 1101
    DEADLINE_EXCEEDED = 1102
    SHUTTING_DOWN = 1103
    WORKER_FAILED = 1104  # the worker process died, and the next one as well; or it had too little memory
    UNAUTHORIZED = 1200


class RpcError(Exception):
    """An error that travels as `[code, message, details]`.

    `message` is for a person: it names the value, and which value would do. `details` is for a program.
    """

    def __init__(self, code: Code, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or {}

    def to_wire(self) -> list[Any]:
        """The error as the wire carries it."""
        return [int(self.code), self.message, self.details]

    @classmethod
    def from_wire(cls, error: Any) -> RpcError:
        """The error that a peer sent. What is no error of this form becomes an INTERNAL_ERROR."""
        match error:
            case [int(code), str(message), *rest] if code in Code._value2member_map_:
                return cls(Code(code), message, rest[0] if rest and isinstance(rest[0], dict) else {})
            case _:
                return cls(Code.INTERNAL_ERROR, str(error))

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type[RpcError], tuple[Code, str, dict[str, Any]]]:
        return type(self), (self.code, self.message, self.details)  # for pickle: workers raise it too


def shown(value: object, most: int = 80) -> str:
    """The repr of a value for a message, at most `most` characters long. Reads no more of the value than it shows.

    >>> shown("x" * 10**6, 12)
    "'xxx...xxxx'"
    """
    text = _Short(most).repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."


class _Short(reprlib.Repr):
    """Like reprlib.Repr, but it never builds the whole text, since a value may be as large as a message."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.maxstring = self.maxother = most

    def repr_bytes(self, data: bytes, level: int) -> str:
        del level
        return repr(data[: self.maxother]) + ("..." if len(data) > self.maxother else "")

    def repr_instance(self, value: Any, level: int) -> str:
        if isinstance(value, tuple):  # an extension value of MessagePack
            return type(value).__name__ + self.repr_tuple(value, level)
        return super().repr_instance(value, level)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` with the nearest of `known`, or an empty string.

    >>> did_you_mean("terain", ["terrain", "levels"])
    "; did you mean 'terrain'?"
    >>> did_you_mean("zzz", ["terrain"])
    ''
    """
    if len(name) > 64:  # no typing error, and the search takes time that grows with the length
        return ""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def nearest(name: str, known: Collection[str], nothing: str = "; there are: none") -> str:
    """The end of a message about an unknown name: the nearest known name, or else all of them.

    >>> nearest("terain", ["terrain", "levels"])
    "; did you mean 'terrain'?"
    >>> nearest("zzz", ["terrain", "levels"])
    '; there are: terrain, levels'

    Args:
        name: the unknown name.
        known: the known names.
        nothing: what to say where no name is known.
    """
    return did_you_mean(name, known) or (f"; there are: {', '.join(known)}" if known else nothing)
