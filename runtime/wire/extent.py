"""Finds where a MessagePack value ends, from its headers only, before anything is decoded.

A value that is too long, too deep or has too many values is refused as soon as a header announces it: before it is
buffered, and before memory is allocated for it. (Five bytes can announce an array of 4 billion values; a decoder that
trusts them can be made to fill the memory.)
"""

from __future__ import annotations

from runtime.errors import Code, RpcError

MAX_DEPTH = 64  # nested arrays and maps; the message itself counts
MAX_VALUES = 1 << 17  # values in one message, keys included; an empty map is 1 byte here and 64 bytes decoded


def unreadable(message: str) -> RpcError:
    """The error for bytes that are not a message."""
    return RpcError(Code.PARSE_ERROR, message)


# What the first byte of a MessagePack value announces: (bytes of the count that follows, the count or what to add to
# it, values per item). With 0 values per item, the count is of bytes to skip. None: no value begins with this byte.
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


class Extent:
    """Finds where the MessagePack value at a buffer's start ends, from its headers only."""

    def __init__(self, max_bytes: int, max_depth: int = MAX_DEPTH, max_values: int = MAX_VALUES) -> None:
        self.end = 0  # the value has at least so many bytes; they may not all have arrived
        self._max_bytes, self._max_depth, self._max_values = max_bytes, max_depth, max_values
        self._values = 1
        self._open = [1]  # values still to come, for each open container

    def advance(self, data: bytearray) -> bool:
        """Whether `data` has the whole value; `data` must only grow between calls. RpcError if the value is refused."""
        while self._open and self.end < len(data):
            head = _HEADS[data[self.end]]
            if head is None:
                raise unreadable("the byte 0xc1, which no MessagePack value begins with")
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
                raise unreadable(f"a message of {self.end} bytes or more; the limit is {self._max_bytes}")
        return not self._open and self.end <= len(data)

    def _enter(self, values: int) -> None:
        self._values += values
        if self._values > self._max_values:
            raise unreadable(f"a message of {self._values} values or more; the limit is {self._max_values}")
        self._open.append(values)
        if len(self._open) > self._max_depth + 1:  # + 1: the entry for the message itself
            raise unreadable(f"arrays and maps nested more than {self._max_depth} deep")
