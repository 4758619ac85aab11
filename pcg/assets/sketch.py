"""A designer's sketch of the large forms: read from a picture or an array, and kept as heights beside its map."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pcg.writers.png import GREY, read_header
from pcg.writers.terrain.flat import npy_header
from runtime.content.terrain.measures import HIGHEST_M, LOWEST_M, METRES_PER_PIXEL, PIXELS_PER_CELL, SKETCH_CELLS

SMALLEST, LARGEST = SKETCH_CELLS
CELL_M = PIXELS_PER_CELL * METRES_PER_PIXEL
LOW_M, HIGH_M = LOWEST_M, math.floor(HIGHEST_M)
SUFFIX = ".sketch.npy"
_TIFF_BEGINS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_sketch(path: Path, low_m: float | None = None, high_m: float | None = None) -> NDArray[np.float32]:
    """Read the heights of a sketch in metres, float32 (H, W), north in the first row; one value is a cell of 1,440 m.

    A sketch is a PNG (grey, 8 or 16 bits), a TIFF (one channel of 8 or 16 bits, or of floats in metres) or a .npy
    (uint8, uint16, or floats in metres). The content says which, not the suffix. The size is checked before the pixels
    are read.

    Args:
        path: the file.
        low_m: the height that 0 stands for, if the values are whole numbers.
        high_m: the height that the largest whole number stands for.

    Raises:
        ValueError: the file is not such a sketch; the message says what is wrong and what is allowed.
        FileNotFoundError: there is no such file.
    """
    with path.open("rb") as file:
        begin = file.read(8)
    try:
        if begin == b"\x89PNG\r\n\x1a\n":
            values = _read_png(path)
        elif begin[:4] in _TIFF_BEGINS:
            values = _read_tiff(path)
        elif begin[:6] == b"\x93NUMPY":
            values = _read_npy(path)
        else:
            raise _Unfit(f"is not a PNG, a TIFF or a .npy (it begins with {begin!r}); save the sketch as one of them")
        return _heights(values, low_m, high_m)
    except _Unfit as error:
        raise ValueError(f"sketch {path} {error}") from error


class _Unfit(Exception):
    """A sketch can't be used; the message is the end of a sentence that begins with the file."""


def _check_size(width: int, height: int) -> None:
    if min(width, height) < SMALLEST or max(width, height) > LARGEST:
        smaller = min(width, height) < SMALLEST
        side = f"{SMALLEST} to {LARGEST} values a side, each {PIXELS_PER_CELL} pixels ({CELL_M:,.0f} m) of the map"
        remedy = "draw a larger one" if smaller else f"scale it down, or cut it into parts of {LARGEST}"
        raise _Unfit(f"is {width}x{height}; a sketch has {side}: {remedy}")


def _read_png(path: Path) -> NDArray[Any]:
    try:
        header = read_header(path)
        _check_size(header.width, header.height)
        if header.colour != GREY:
            kind = {
                2: "has colours",
                3: "has a palette",
                4: "has an alpha channel",
                6: "has colours and an alpha channel",
            }
            raise _Unfit(f"{kind[header.colour]}; save it as greyscale of 8 or 16 bits, without alpha")
        if header.depth not in (8, 16):
            raise _Unfit(f"has {header.depth} bits a pixel; save it as greyscale of 8 or 16 bits")
        with Image.open(path) as image:
            values = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _Unfit(f"can't be read: {error}; save it again") from error
    return values.astype(np.uint16 if header.depth == 16 else np.uint8)


def _read_tiff(path: Path) -> NDArray[Any]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages.first
            _check_size(page.imagewidth, page.imagelength)
            if page.samplesperpixel != 1:
                raise _Unfit(f"has {page.samplesperpixel} channels; save it with one, greyscale or heights")
            if page.bitspersample not in (8, 16, 32, 64) or page.imagedepth != 1:
                raise _Unfit(
                    f"has {page.bitspersample} bits a value; save it with 8 or 16, or as 32-bit floats in metres"
                )
            values: NDArray[Any] = page.asarray()
    except _Unfit:
        raise
    # tifffile passes on what its codecs raise, and a damaged file may raise any exception.
    except Exception as error:
        raise _Unfit(f"can't be read: {error}; save it again, uncompressed or with deflate") from error
    return values


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, SyntaxError) as error:
        raise _Unfit(f"can't be read: {error}; save it again with numpy.save, as plain numbers") from error
    if mapped.ndim != 2:
        raise _Unfit(f"has the shape {mapped.shape}; a sketch has two axes, rows and columns")
    _check_size(mapped.shape[1], mapped.shape[0])
    return np.array(mapped)


def _heights(values: NDArray[Any], low_m: float | None, high_m: float | None) -> NDArray[np.float32]:
    """Heights in metres, float32, from values of any type. Raises _Unfit."""
    if values.dtype.kind == "f":
        if low_m is not None or high_m is not None:
            raise _Unfit("holds floats, which are metres already; leave out --height-range")
        heights = values.astype(np.float64)
    elif values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        largest = np.iinfo(values.dtype).max
        if low_m is None or high_m is None:
            raise _Unfit(
                f"holds whole numbers from 0 to {largest}, not metres; say which heights the two stand for, "
                "for example --height-range 0:2500"
            )
        if not LOW_M <= low_m < high_m <= HIGH_M:
            raise _Unfit(
                f"can't be read with --height-range {low_m:g}:{high_m:g}; LOW is below HIGH, both "
                f"{LOW_M:,.0f} to {HIGH_M:,.0f} m"
            )
        heights = low_m + values.astype(np.float64) / largest * (high_m - low_m)
    else:
        raise _Unfit(
            f"holds {values.dtype}; save it as 8 or 16 bits without sign and give --height-range, "
            "or as 32-bit floats in metres"
        )
    if not (finite := np.isfinite(heights)).all():
        row, column = np.argwhere(~finite)[0]
        raise _Unfit(
            f"has {np.count_nonzero(~finite)} values that are no number, "
            f"the first, {heights[row, column]}, in row {row}, column {column}; fill them in"
        )
    if heights.min() < LOW_M or heights.max() > HIGH_M:
        outside = (heights < LOW_M) | (heights > HIGH_M)
        row, column = np.argwhere(outside)[0]
        raise _Unfit(
            f"has {np.count_nonzero(outside)} heights outside {LOW_M:,.0f} to {HIGH_M:,.0f} m, the first, "
            f"{heights[row, column]:g}, in row {row}, column {column}; "
            "they must be metres, with no mark for missing data"
        )
    return heights.astype(np.float32)


def parse_height_range(text: str) -> tuple[float, float]:
    """Read LOW:HIGH in metres.

    Raises:
        ValueError: the text is something else, or LOW is not below HIGH.
    """
    low, colon, high = text.partition(":")
    try:
        values = float(low), float(high)
    except ValueError:
        values = (math.nan, math.nan)
    if not colon or not all(math.isfinite(v) for v in values):
        raise ValueError(f"--height-range {text!r}: write LOW:HIGH in metres, for example 0:2500")
    if values[0] >= values[1]:
        raise ValueError(f"--height-range {text}: LOW must be below HIGH")
    return values


def sketch_path(out: Path) -> Path:
    """world.png -> world.sketch.npy, the file beside a map that keeps its sketch."""
    return out.with_name(out.stem + SUFFIX)


def sketch_bytes(sketch: NDArray[np.float32]) -> bytes:
    """The content of that file."""
    header = npy_header(sketch.shape[1], sketch.shape[0], "<f4")
    return header + np.ascontiguousarray(sketch, "<f4").tobytes()


def sketch_sha256(sketch: NDArray[np.float32]) -> str:
    """SHA-256 of the heights as little-endian float32, rows from the top."""
    return hashlib.sha256(np.ascontiguousarray(sketch, "<f4").tobytes()).hexdigest()


def read_sketch_beside(path: Path, asset: dict[str, Any]) -> NDArray[np.float32] | None:
    """The sketch that an asset was made from, read from the file beside it; None if it was made from none.

    Raises:
        ValueError: the file is not there, or holds another sketch.
    """
    if "sketch" not in asset:
        return None
    beside = path.with_name(Path(asset["sketch"]["file"]).name)
    if not beside.exists():
        raise ValueError(f"the sketch it was made of, {beside.name}, is not beside it")
    sketch: NDArray[np.float32] = np.load(beside, allow_pickle=False)
    if sketch_sha256(sketch) != asset["sketch"]["sha256"]:
        raise ValueError(f"{beside.name} beside it is another sketch than it was made of")
    return sketch
