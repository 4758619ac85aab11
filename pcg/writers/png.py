"""PNG files written and read a few rows at a time, in memory that does not grow with the image.

Each call of `PngWriter.append` writes data that stand alone: the deflate blocks end on a byte boundary and refer to no
earlier ones, and the first row has no filter. So writing can be resumed after any call, and a file that was interrupted
is the same, byte for byte, as one that was not. Portable Network Graphics (third edition), W3C.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pcg.writers.files import open_part, write_all

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, RGBA = 0, 2, 3, 6  # colour types
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, 4: 2, RGBA: 4}
UNFILTERED, SUB, UP = 0, 1, 2
# For heights, the "up" filter at level 6 gives the smallest files of any one filter, in a fifth of Pillow's time.
LEVEL = 6
READ_BYTES = 1 << 20
LARGEST_TEXT = 1 << 20


@dataclass(frozen=True)
class PngHeader:
    """Size in pixels, bits a channel (pixels are read and written with 8 or 16), and colour type."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool = False

    @property
    def row_bytes(self) -> int:
        """Bytes of a row's pixels."""
        return self.width * CHANNELS[self.colour] * self.depth // 8


def text_chunk(keyword: str, text: str) -> bytes:
    """An iTXt chunk, uncompressed."""
    return _chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


class PngWriter:
    """A PNG that is written row by row. `state` is what a later writer needs to resume the file."""

    def __init__(
        self,
        path: Path,
        header: PngHeader,
        chunks: Sequence[bytes] = (),
        palette: Sequence[Sequence[int]] | None = None,
        state: dict[str, int] | None = None,
    ) -> None:
        """Begin a file, or resume one.

        Args:
            path: the file.
            header: size and pixel format.
            chunks: written as they are before the pixels.
            palette: up to 256 triples of 0 to 255.
            state: the state of an earlier writer, to resume.
        """
        self.header = header
        self.state = dict(state or {"bytes": 0, "adler": 1})
        self._file = open_part(path, self.state["bytes"])
        if state is None:
            size = struct.pack(">IIBBBBB", header.width, header.height, header.depth, header.colour, 0, 0, 0)
            self._write(SIGNATURE + _chunk(b"IHDR", size) + b"".join(chunks))
            if palette is not None:
                self._write(_chunk(b"PLTE", bytes(v for colour in palette for v in colour)))
            self._write(_chunk(b"IDAT", b"\x78\x9c"))  # the zlib header

    def _write(self, data: bytes) -> None:
        self.state["bytes"] += write_all(self._file, data)

    def append(self, blocks: Iterable[NDArray[Any]]) -> None:
        """Add rows: arrays (n, width) or (n, width, channels) of uint8 or uint16, one below the other."""
        deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        above = None
        for block in blocks:
            lines = np.ascontiguousarray(block, ">u2" if self.header.depth == 16 else np.uint8)
            lines = lines.view(np.uint8).reshape(len(block), -1)
            filtered = np.zeros((len(lines), self.header.row_bytes + 1), np.uint8)
            filtered[:, 1:] = lines
            if self.header.colour != PALETTE:  # the difference of two palette indices means nothing
                filtered[:, 0] = UP
                filtered[1:, 1:] -= lines[:-1]
                if above is None:
                    filtered[0, 0] = UNFILTERED
                else:
                    filtered[0, 1:] -= above
            above = lines[-1]
            self.state["adler"] = zlib.adler32(filtered.data, self.state["adler"])
            if packed := deflate.compress(filtered.data):
                self._write(_chunk(b"IDAT", packed))
        self._write(_chunk(b"IDAT", deflate.flush(zlib.Z_FULL_FLUSH)))

    def finish(self) -> None:
        """Write the end of the file. `state` does not count it, so an end that failed is written again."""
        last = b"\x03\x00" + struct.pack(">I", self.state["adler"])  # an empty final block, the checksum
        write_all(self._file, _chunk(b"IDAT", last) + _chunk(b"IEND", b""))

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def read_header(path: Path) -> PngHeader:
    """Size and kind of a PNG, from its first 33 bytes.

    Raises:
        ValueError: the file is not a PNG.
    """
    with path.open("rb") as file:
        return _read_header(file, path)


def _read_header(file: BinaryIO, path: Path) -> PngHeader:
    begin = file.read(33)
    if len(begin) < 33 or begin[:8] != SIGNATURE or begin[12:16] != b"IHDR":
        raise ValueError(f"{path} is not a PNG, or is truncated")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", begin[16:29])
    if colour not in CHANNELS:
        raise ValueError(f"{path} is not a valid PNG: colour type {colour}")
    return PngHeader(width, height, depth, colour, bool(interlace))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The kind and the length of each chunk. While a chunk is handled, the file's position is at its data."""
    while len(begin := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", begin)
        after = file.tell() + length + 4
        yield kind, length
        file.seek(after)


def read_text(path: Path, keyword: str) -> str | None:
    """The text of the first iTXt chunk with the keyword, anywhere in the file, or None. Pixels are not read.

    Raises:
        ValueError: the file is not a PNG, or the text is not UTF-8.
    """
    wanted = keyword.encode("latin-1") + b"\0"
    with path.open("rb") as file:
        _read_header(file, path)
        for kind, length in _chunks(file):
            if kind != b"iTXt" or not len(wanted) < length <= LARGEST_TEXT or file.read(len(wanted)) != wanted:
                continue
            compressed, _ = file.read(2)
            text = file.read(length - len(wanted) - 2).split(b"\0", 2)[
                -1
            ]  # after the language and the translated keyword
            try:
                return (zlib.decompressobj().decompress(text, LARGEST_TEXT) if compressed else text).decode()
            except zlib.error as error:
                raise ValueError(f"{path}: its text {keyword} is damaged: {error}") from error
    return None


class PngRows:
    """The rows of a PNG of 8 or 16 bits, from the top down. Only the filters none, sub and up can be read."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError if the file is not a PNG, or one that can't be read row by row."""
        self.path = path
        self._file = path.open("rb")
        self.header = _read_header(self._file, path)
        if self.header.depth not in (8, 16) or self.header.interlaced:
            raise ValueError(f"{path}: only 8 or 16 bits a channel, not interlaced, are read row by row")
        self._inflate = zlib.decompressobj()
        self._above = np.zeros(self.header.row_bytes, np.uint8)
        self._left = 0  # bytes of the current IDAT chunk that were not read yet
        self._next = _chunks(self._file)

    def read(self, count: int) -> NDArray[Any]:
        """The next `count` rows: (count, width) or (count, width, channels), uint8 or uint16.

        Raises:
            ValueError: the file is truncated, or another program wrote it with filters that are not supported.
        """
        header = self.header
        raw = np.frombuffer(self._bytes(count * (header.row_bytes + 1)), np.uint8).reshape(count, -1)
        lines = raw[:, 1:].copy()
        step = header.row_bytes // header.width
        for row, line in zip(raw[:, 0], lines, strict=True):
            if row == UP:
                line += self._above
            elif row == SUB:
                line[:] = line.reshape(-1, step).cumsum(axis=0, dtype=np.uint8).reshape(-1)
            elif row != UNFILTERED:
                raise ValueError(f"{self.path} was saved again by another program; so large, it can't be compared")
            self._above = line
        pixels = lines.view(">u2").astype(np.uint16) if header.depth == 16 else lines
        shape = (count, header.width, CHANNELS[header.colour])
        return pixels.reshape(shape[: 2 + (shape[2] > 1)])

    def _bytes(self, count: int) -> bytes:
        pieces = []
        while count:
            data = self._inflate.unconsumed_tail or self._packed()
            try:
                piece = self._inflate.decompress(data, count)
            except zlib.error as error:
                raise ValueError(f"{self.path} is damaged: {error}") from error
            if not piece and not data:
                raise ValueError(f"{self.path} is truncated")
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def _packed(self) -> bytes:
        """The next bytes of the compressed stream in the IDAT chunks; none after its end."""
        while not self._left:
            kind, length = next(self._next, (b"IEND", 0))
            if kind == b"IEND":
                return b""
            self._left = length if kind == b"IDAT" else 0
        data = self._file.read(min(self._left, READ_BYTES))
        self._left = self._left - len(data) if data else 0
        return data

    def close(self) -> None:
        self._file.close()
