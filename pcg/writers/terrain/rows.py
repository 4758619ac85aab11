"""Writing and reading terrain files of any format row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pcg.writers.png import PALETTE, PngHeader, PngRows, PngWriter
from pcg.writers.provenance import text_chunks
from pcg.writers.terrain.exr import exr_header, scan_lines
from pcg.writers.terrain.flat import FlatRows, FlatWriter, npy_header, tiff_header
from pcg.writers.terrain.layers import LAYERS, palette

WHOLE_PIXELS = 1 << 24  # a PNG up to this size is read at once, with any filters


class RowWriter(Protocol):
    """A file that is written row by row; `state` is what a later writer needs to resume the file."""

    state: dict[str, int]

    def append(self, blocks: Iterable[NDArray[Any]]) -> None: ...
    def finish(self) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


class RowReader(Protocol):
    """A file that is read row by row, from the top down."""

    def read(self, count: int) -> NDArray[Any]: ...
    def close(self) -> None: ...


def open_writer(
    path: Path, asset: dict[str, Any], chunk: dict[str, Any], state: dict[str, int] | None = None
) -> RowWriter:
    """Begin a file, or resume one.

    Args:
        path: the file.
        asset: its metadata.
        chunk: a response's metadata, with the palette of biomes.
        state: the state of an earlier writer, to resume.
    """
    form, width, height = asset["form"], asset["width"], asset["height"]
    if form == "png":
        layer = LAYERS[asset["layer"]]
        colours = [c["rgb"] for c in palette(chunk)] if layer.colour == PALETTE else None
        header = PngHeader(width, height, layer.bits, layer.colour)
        return PngWriter(path, header, text_chunks(asset), colours, state)
    if form == "exr":
        return FlatWriter(path, exr_header(width, height, asset), asset["dtype"], state, scan_lines)
    begin = b""
    if state is None and form == "npy":
        begin = npy_header(width, height, asset["dtype"])
    elif state is None and form == "tif":
        # x and y count pixels of level 0, whatever the level.
        pixel_m = asset["meters_per_pixel"] / 2 ** asset["lod"]
        begin = tiff_header(
            path, width, height, asset, (asset["origin"]["x"] * pixel_m, -asset["origin"]["y"] * pixel_m)
        )
    return FlatWriter(path, begin, asset["dtype"], state)


def write_picture(path: Path, pixels: NDArray[np.uint8], asset: dict[str, Any]) -> None:
    """Write a grey PNG of pixels (H, W) at once."""
    writer = PngWriter(path, PngHeader(pixels.shape[1], pixels.shape[0], 8, 0), text_chunks(asset))
    try:
        writer.append([pixels])
        writer.finish()
    finally:
        writer.close()


class _WholeRows:
    """The rows of a picture in memory."""

    def __init__(self, pixels: NDArray[Any]) -> None:
        self._pixels = pixels

    def read(self, count: int) -> NDArray[Any]:
        rows, self._pixels = self._pixels[:count], self._pixels[count:]
        return rows

    def close(self) -> None:
        pass


def open_rows(path: Path, asset: dict[str, Any], size: Sequence[int]) -> RowReader:
    """Open a file to read its rows.

    Args:
        path: the file.
        asset: its metadata, which name the format.
        size: the width and the height that it should have.

    Raises:
        ValueError: it has another size or format.
    """
    width, height = size
    if asset["form"] not in ("png", "preview"):
        return FlatRows(path, asset["form"], width, height, asset["dtype"])
    rows = PngRows(path)
    found = rows.header
    if (found.width, found.height) != (width, height):
        rows.close()
        raise ValueError(f"is {found.width}x{found.height}, should be {width}x{height}")
    if width * height > WHOLE_PIXELS:
        return rows
    rows.close()
    with Image.open(path) as image:
        return _WholeRows(np.asarray(image))
