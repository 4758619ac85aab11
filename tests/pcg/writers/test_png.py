"""The PNG writer and reader against Pillow's, and against damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pcg.writers.png import (
    CHANNELS,
    GREY,
    PALETTE,
    RGB,
    RGBA,
    PngHeader,
    PngRows,
    PngWriter,
    read_header,
    read_text,
    text_chunk,
)

KINDS = st.sampled_from([(8, GREY), (16, GREY), (8, RGB), (8, RGBA), (8, PALETTE)])
COLOURS = [[i, 255 - i, i // 2] for i in range(256)]


def pixels(depth: int, colour: int, width: int, height: int, seed: int = 0) -> np.ndarray:
    shape = (height, width, CHANNELS[colour])[: 2 + (CHANNELS[colour] > 1)]
    return np.random.default_rng(seed).integers(0, 2**depth, shape).astype(np.uint16 if depth == 16 else np.uint8)


def write(path: Path, data: np.ndarray, depth: int, colour: int, cuts: list[int]) -> None:
    header = PngHeader(data.shape[1], data.shape[0], depth, colour)
    state = None
    for part in np.split(data, cuts):
        writer = PngWriter(path, header, [text_chunk("k", "v é")], COLOURS if colour == PALETTE else None, state)
        writer.append(np.array_split(part, 2) if len(part) > 1 else [part])
        state = writer.state
        writer.close()
    writer = PngWriter(path, header, state=state)
    writer.finish()
    writer.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=KINDS, width=st.integers(1, 40), height=st.integers(3, 40), seed=st.integers(0, 99))
def test_pillow_reads_what_was_written_and_so_does_the_reader(
    tmp_path: Path, kind: tuple[int, int], width: int, height: int, seed: int
) -> None:
    path, data = tmp_path / "a.png", pixels(*kind, width, height, seed)
    write(path, data, *kind, cuts=[1, height // 2 + 1])
    with Image.open(path) as image:
        assert image.info["k"] == "v é"
        if kind[1] == PALETTE:
            assert image.getpalette() == [v for colour in COLOURS for v in colour]
        assert np.array_equal(np.asarray(image), data)
    assert read_header(path) == PngHeader(width, height, *kind)
    assert read_text(path, "k") == "v é"
    assert read_text(path, "other") is None
    rows = PngRows(path)
    assert np.array_equal(np.concatenate([rows.read(2), rows.read(height - 2)]), data)
    with pytest.raises(ValueError, match="truncated"):
        rows.read(1)
    rows.close()


def test_pillows_filters_are_read_or_refused(tmp_path: Path) -> None:
    path, data = tmp_path / "a.png", np.add.outer(np.arange(9), np.arange(7)).astype(np.uint8)
    Image.fromarray(data).save(path)
    rows = PngRows(path)
    try:
        assert np.array_equal(rows.read(9), data)
    except ValueError as error:
        assert "saved again" in str(error)  # noqa: PT017 - which filters Pillow takes is its own affair
    rows.close()


def test_sub_is_undone(tmp_path: Path) -> None:
    """A filter that this writer never takes, but other programs do, by hand."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    body = zlib.compress(bytes([1, 10, 20, 30, 1, 1, 1]) + bytes([2, 1, 1, 1, 1, 1, 1]))
    parts = (chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, RGB, 0, 0, 0)), chunk(b"IDAT", body), chunk(b"IEND", b""))
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    rows = PngRows(path)
    assert rows.read(2).tolist() == [[[10, 20, 30], [11, 21, 31]], [[11, 21, 31], [12, 22, 32]]]
    rows.close()


def test_damage_is_told(tmp_path: Path) -> None:
    path, data = tmp_path / "a.png", pixels(16, GREY, 300, 300)
    write(path, data, 16, GREY, [])
    whole = path.read_bytes()
    for content in (whole[:20], b"GIF89a" + whole[6:], whole[:24] + b"\x08\x09" + whole[26:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="PNG"):
            read_header(path)
    for content, words in ((whole[: len(whole) // 2], "truncated"), (whole[:-300] + bytes(300), "truncated|damaged")):
        path.write_bytes(content)
        rows = PngRows(path)
        with pytest.raises(ValueError, match=words):
            rows.read(300)
        rows.close()


def test_a_changed_part_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    writer = PngWriter(path, PngHeader(4, 4, 8, GREY))
    writer.append([pixels(8, GREY, 4, 2)])
    writer.close()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="was changed"):
        PngWriter(path, PngHeader(4, 4, 8, GREY), state=writer.state)
