"""OpenEXR: one channel of 32-bit floats, uncompressed scan lines, after "OpenEXR File Layout" (openexr.com).

It is written here and not by the library, since the library can't resume a file. The layout of an uncompressed file is
known before its first pixel, so it can be written strip by strip and resumed.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pcg.writers.provenance import KEY, software, statement

MAGIC, VERSION = 20000630, 2  # single part, scan lines
LONG_NAMES = 1 << 10  # a version bit that does not change where pixels are
CHANNEL = "Y"  # luminance, the specification's name for the channel of a grey picture
FLOAT, NO_COMPRESSION, INCREASING_Y = 2, 0, 0
LINE_HEAD_BYTES = 8  # the y of a scan line, and how many bytes its pixels have


def exr_header(width: int, height: int, asset: dict[str, Any]) -> bytes:
    """The bytes of a file before its first scan line."""
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channel = CHANNEL.encode() + b"\0" + struct.pack("<iB3xii", FLOAT, 0, 1, 1)
    attributes = (
        ("channels", "chlist", channel + b"\0"),
        ("comments", "string", statement(asset).encode()),
        ("compression", "compression", bytes([NO_COMPRESSION])),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", bytes([INCREASING_Y])),
        (KEY, "string", json.dumps(asset).encode()),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
        ("software", "string", software(asset).encode()),
    )
    begin = struct.pack("<ii", MAGIC, VERSION)
    for name, kind, value in attributes:
        begin += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
    begin += b"\0"
    line = LINE_HEAD_BYTES + 4 * width
    offsets = len(begin) + 8 * height + line * np.arange(height, dtype="<u8")
    return begin + offsets.tobytes()


def scan_lines(rows: NDArray[np.float32], first: int) -> NDArray[np.uint8]:
    """Rows (n, width) as scan lines, uint8 (n, bytes): each begins with its number, from `first` on, and its size."""
    count, width = rows.shape
    lines = np.empty((count, 2 + width), "<i4")
    lines[:, 0] = np.arange(first, first + count)
    lines[:, 1] = 4 * width
    lines[:, 2:] = rows.view("<i4")
    return lines.view(np.uint8)


def read_exr_header(path: Path) -> tuple[tuple[int, int], int]:
    """Height and width of a file written here, and the offset of its first scan line.

    Raises:
        ValueError: it is another kind of EXR, or not an EXR.
    """
    with path.open("rb") as file:
        magic, version = struct.unpack("<ii", _exactly(file, 8, path))
        if magic != MAGIC or version & ~LONG_NAMES != VERSION:
            raise ValueError(
                f"{path} is not an OpenEXR file of scan lines: it begins with {magic:#x}, version {version:#x}"
            )
        found: dict[str, bytes] = {}
        while name := _text(file, path):
            _text(file, path)
            (size,) = struct.unpack("<i", _exactly(file, 4, path))
            found[name] = _exactly(file, size, path)
        begin = file.tell()
    left, top, right, bottom = struct.unpack("<4i", found.get("dataWindow", b"").ljust(16, b"\0"))
    one_of_floats = found.get("channels", b"").startswith(CHANNEL.encode() + b"\0" + struct.pack("<i", FLOAT))
    plain = found.get("compression") == bytes([NO_COMPRESSION]) and found.get("lineOrder") == bytes([INCREASING_Y])
    if not (one_of_floats and len(found["channels"]) == 19 and plain):
        raise ValueError(f"{path} is compressed, or has other channels: it was saved again by another program")
    height, width = bottom - top + 1, right - left + 1
    return (height, width), begin + 8 * height


def _exactly(file: BinaryIO, count: int, path: Path) -> bytes:
    data = file.read(max(count, 0))
    if len(data) != count:
        raise ValueError(f"{path} ends within its header")
    return data


def _text(file: BinaryIO, path: Path) -> str:
    """Read a string that ends in a zero byte."""
    text = b""
    while (byte := _exactly(file, 1, path)) != b"\0":
        text += byte
    return text.decode("latin-1")
