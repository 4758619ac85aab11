"""Files of plain rows of numbers after a header: .r16 and .raw (no header), .npy, uncompressed TIFF and EXR."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcg.writers.files import open_part, write_all
from pcg.writers.provenance import software
from pcg.writers.terrain.exr import LINE_HEAD_BYTES, read_exr_header

TIFF_STRIP_BYTES = 1 << 18
CLASSIC_TIFF_BYTES = 2**32 - 2**25  # larger files need the 64-bit offsets of BigTIFF


def npy_header(width: int, height: int, dtype: str) -> bytes:
    """The header of a .npy file (NumPy's format, version 1.0)."""
    begin = io.BytesIO()
    about = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (height, width)}
    np.lib.format.write_array_header_1_0(begin, about)
    return begin.getvalue()


def geo_tags(metres_per_pixel: float, east_m: float, north_m: float) -> list[tuple[Any, ...]]:
    """GeoTIFF 1.1 tags of a map in metres with its top-left corner at (east, north), for tifffile's `extratags`.

    The world is not on Earth, so the coordinate system is user-defined, and GIS programs show it as a local one.
    """
    name = b"pcg-plugin generated world, metres|"
    keys = (
        (1024, 0, 1, 32767),  # GTModelType: user-defined
        (1025, 0, 1, 1),  # GTRasterType: a pixel is an area
        (1026, 34737, len(name), 0),  # GTCitation, in the ASCII parameters
        (3076, 0, 1, 9001),  # ProjLinearUnits: metre
    )
    directory = (1, 1, 0, len(keys), *(v for key in keys for v in key))
    return [
        (33550, "d", 3, (metres_per_pixel, metres_per_pixel, 0.0), True),  # ModelPixelScale
        (33922, "d", 6, (0.0, 0.0, 0.0, east_m, north_m, 0.0), True),  # ModelTiepoint
        (34735, "H", len(directory), directory, True),  # GeoKeyDirectory
        (34737, "s", len(name) + 1, name + b"\0", True),  # GeoAsciiParams
    ]


def tiff_header(scratch: Path, width: int, height: int, asset: dict[str, Any], corner_m: tuple[float, float]) -> bytes:
    """The bytes of a float32 TIFF before its first pixel; the rows follow, from the top down, uncompressed.

    Args:
        scratch: a path at which a sparse file of the whole size is written and deleted.
        width: in pixels.
        height: in pixels.
        asset: the metadata.
        corner_m: easting and northing of the top-left corner.
    """
    import tifffile

    row_bytes = 4 * width
    scratch.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tifffile.TiffWriter(scratch, bigtiff=row_bytes * height > CLASSIC_TIFF_BYTES, byteorder="<") as tiff:
            placed = tiff.write(
                None,
                shape=(height, width),
                dtype=np.float32,
                photometric="minisblack",
                rowsperstrip=max(1, TIFF_STRIP_BYTES // row_bytes),
                description=json.dumps(asset),
                software=software(asset),
                metadata=None,
                extratags=geo_tags(asset["meters_per_pixel"], *corner_m),
                returnoffset=True,
            )
        assert placed is not None  # since returnoffset
        with scratch.open("rb") as file:
            return file.read(placed[0])
    finally:
        scratch.unlink(missing_ok=True)


class FlatWriter:
    """A file of a header and rows of numbers. `state` is what a later writer needs to resume the file."""

    def __init__(
        self,
        path: Path,
        header: bytes,
        dtype: str,
        state: dict[str, int] | None = None,
        lines: Callable[[NDArray[Any], int], NDArray[Any]] | None = None,
    ) -> None:
        """Begin a file, or resume one.

        Args:
            path: the file.
            header: its first bytes.
            dtype: of the rows.
            state: the state of an earlier writer, to resume.
            lines: turns rows (n, width) and the number of the first into what the file holds; None writes them as they
                are.

        Raises:
            ValueError: the file to resume is shorter than it was.
        """
        self.state = dict(state or {"bytes": 0, "rows": 0})
        self._dtype, self._lines = dtype, lines
        self._file = open_part(path, self.state["bytes"])
        if state is None:
            self.state["bytes"] += write_all(self._file, header)

    def append(self, blocks: Iterable[NDArray[Any]]) -> None:
        """Add rows: arrays (n, width), one below the other."""
        for block in blocks:
            rows = np.ascontiguousarray(block, self._dtype)
            held = self._lines(rows, self.state["rows"]) if self._lines else rows
            self.state["bytes"] += write_all(self._file, held.data)
            self.state["rows"] += len(rows)

    def finish(self) -> None:
        """Nothing comes after the last row."""

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class FlatRows:
    """The rows of such a file, from the top down, without the heads that the scan lines of EXR have."""

    def __init__(self, path: Path, form: str, width: int, height: int, dtype: str) -> None:
        """Open a file that should hold `width` x `height` values of `dtype` in a format.

        Raises:
            ValueError: it holds something else.
        """
        self.path = path
        self.width, self._dtype = width, np.dtype(dtype)
        self._head, offset = 0, 0
        if form == "npy":
            shape, found, offset = _read_npy_header(path)
        elif form == "tif":
            shape, found, offset = _read_tiff_header(path)
        elif form == "exr":
            self._head = LINE_HEAD_BYTES
            (shape, offset), found = read_exr_header(path), np.dtype("<f4")
        else:
            shape, found = (height, width), self._dtype
        if shape != (height, width) or found != self._dtype:
            raise ValueError(f"{path} holds {found.str} {shape}, should hold {self._dtype.str} {(height, width)}")
        self._row_bytes = self._head + width * self._dtype.itemsize
        size, pixels = path.stat().st_size, height * self._row_bytes
        # A TIFF may have more data after its pixels.
        if size < offset + pixels or (form != "tif" and size > offset + pixels):
            raise ValueError(f"{path} has {size} bytes; {width}x{height} of {self._dtype.str} are {offset + pixels}")
        self._file = path.open("rb")
        self._file.seek(offset)

    def read(self, count: int) -> NDArray[Any]:
        """The next `count` rows, (count, width)."""
        data = np.frombuffer(self._file.read(count * self._row_bytes), np.uint8).reshape(-1, self._row_bytes)
        return np.ascontiguousarray(data[:, self._head :]).view(self._dtype)

    def close(self) -> None:
        self._file.close()


def _read_npy_header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if fortran:
            raise ValueError(f"{path} is in Fortran order: it was saved again by another program")
        return shape, dtype, file.tell()


def _read_tiff_header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        if not page.is_memmappable or page.dtype is None:
            raise ValueError(f"{path} is compressed: it was saved again by another program")
        return page.shape, np.dtype(tiff.byteorder + page.dtype.char), page.dataoffsets[0]
