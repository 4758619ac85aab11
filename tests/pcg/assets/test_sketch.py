"""Sketches: what is read, and what each bad one is told."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from pcg.assets.sketch import parse_height_range, read_sketch

RAMP = np.linspace(0, 1, 20).reshape(4, 5)


def png(data: np.ndarray, **options: Any) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(data).save(path, "PNG", **options)


def tif(data: np.ndarray, **options: Any) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, data, **options)


def npy(data: np.ndarray) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, data)

    return write


def cut(write: Callable[[Path], None], share: float = 0.7) -> Callable[[Path], None]:
    def write_part(path: Path) -> None:
        write(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return write_part


def huge_png(path: Path) -> None:
    """A header of 30,000 x 30,000 pixels, with nothing like them behind."""
    begin = b"IHDR" + struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + begin + struct.pack(">I", zlib.crc32(begin)))


def huge_npy(path: Path) -> None:
    with path.open("wb") as file:
        about = {"descr": "<f4", "fortran_order": False, "shape": (30000, 30000)}
        np.lib.format.write_array_header_1_0(file, about)
        file.truncate(file.tell() + 4 * 30000**2)  # sparse


@pytest.mark.parametrize("largest", [255, 65535])
@pytest.mark.parametrize("form", [png, tif, npy])
def test_whole_numbers_are_steps_of_the_range(tmp_path: Path, form: Any, largest: int) -> None:
    values = np.round(RAMP * largest).astype(np.uint8 if largest == 255 else np.uint16)
    form(values)(tmp_path / "s")
    heights = read_sketch(tmp_path / "s", -100, 2500)
    assert heights.dtype == np.float32
    assert heights.shape == (4, 5)
    assert (heights[0, 0], heights[-1, -1]) == (-100, 2500)
    assert np.allclose(heights, -100 + values / largest * 2600, atol=1e-3)


@pytest.mark.parametrize("form", [tif, npy])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8"])
def test_floats_are_metres(tmp_path: Path, form: Any, dtype: str) -> None:
    form((RAMP * 1000).astype(dtype))(tmp_path / "s")
    assert np.array_equal(read_sketch(tmp_path / "s"), (RAMP * 1000).astype(np.float32))


def test_compressed_tiffs_are_read(tmp_path: Path) -> None:
    tif((RAMP * 1000).astype(np.float32), compression="zlib")(tmp_path / "s.tif")
    assert np.array_equal(read_sketch(tmp_path / "s.tif"), (RAMP * 1000).astype(np.float32))


GREY, FLOAT = (RAMP * 255).astype(np.uint8), (RAMP * 1000).astype(np.float32)
HOLED, DEEP = FLOAT.copy(), FLOAT.copy()
HOLED[1, 2], HOLED[3, 3] = np.nan, np.inf
DEEP[2, 1] = -9999


@pytest.mark.parametrize(
    ("write", "span", "words"),
    [
        (npy(HOLED), (), "2 values that are no number, the first, nan, in row 1, column 2; fill them in"),
        (tif(HOLED), (), "2 values that are no number"),
        (npy(DEEP), (), "1 heights outside -4,096 to 12,287 m, the first, -9999, in row 2, column 1"),
        (png(GREY[:1, :1]), (0, 9), "is 1x1; a sketch has 2 to 1024 values a side"),
        (npy(FLOAT[:1]), (), "is 5x1; a sketch has 2 to 1024 values a side.*draw a larger"),
        (png(np.zeros((4, 4, 3), np.uint8)), (0, 9), "has colours; save it as greyscale"),
        (png(np.zeros((4, 4, 4), np.uint8)), (0, 9), "colours and an alpha channel; save it as greyscale"),
        (png(np.zeros((4, 4, 2), np.uint8)), (0, 9), "an alpha channel; save it as greyscale"),
        (png(np.zeros((4, 4), bool)), (0, 9), "has 1 bits a pixel; save it as greyscale"),
        (tif(np.zeros((4, 4, 3), np.uint8), photometric="rgb"), (0, 9), "has 3 channels; save it with one"),
        (huge_png, (0, 9), "is 30000x30000; .*scale it down, or cut it"),
        (huge_npy, (), "is 30000x30000; .*scale it down"),
        (png(GREY), (), "holds whole numbers from 0 to 255, not metres; .*--height-range 0:2500"),
        (npy(GREY), (), "holds whole numbers"),
        (png(GREY), (9, 9), "--height-range 9:9; LOW is below HIGH"),
        (png(GREY), (0, 13000), "--height-range 0:13000; .*-4,096 to 12,287 m"),
        (npy(FLOAT), (0, 9), "floats, which are metres already; leave out --height-range"),
        (npy(GREY.astype(np.int16)), (0, 9), "holds int16; save it as 8 or 16 bits without sign"),
        (npy(GREY.astype(complex)), (), "holds complex128"),
        (npy(np.zeros((4, 4, 2), np.float32)), (), r"has the shape \(4, 4, 2\); a sketch has two axes"),
        (npy(np.array([[{}]])), (), "can't be read: .*as plain numbers"),
        (cut(png(np.random.default_rng(0).integers(0, 256, (99, 99)).astype(np.uint8))), (0, 9), "can't be read"),
        (cut(tif(np.zeros((99, 99), np.uint16))), (0, 9), "can't be read"),
        (cut(npy(FLOAT)), (), "can't be read"),
        (cut(png(GREY), 0.1), (0, 9), "is not a PNG, a TIFF or a .npy|can't be read"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF"), (), "is not a PNG, a TIFF or a .npy"),
        (lambda path: path.write_bytes(b""), (), "is not a PNG, a TIFF or a .npy"),
    ],
)
def test_bad_sketches_are_told_what_is_wrong(tmp_path: Path, write: Any, span: Any, words: str) -> None:
    path = tmp_path / "mine.sketch"
    write(path)
    with pytest.raises(ValueError, match=rf"sketch .*mine\.sketch .*{words}"):
        read_sketch(path, *span)


def test_height_ranges() -> None:
    assert parse_height_range("-100:2500.5") == (-100, 2500.5)
    for text in ("2500", "0:", "a:b", "0:inf", "0:nan", ":"):
        with pytest.raises(ValueError, match="LOW:HIGH in metres"):
            parse_height_range(text)
    with pytest.raises(ValueError, match="LOW must be below HIGH"):
        parse_height_range("9:3")
