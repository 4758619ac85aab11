"""Heights as pictures: metres, light from the north-west, previews of maps of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pcg.writers.terrain.heightmap import PREVIEW_EXAGGERATION, describe, hillshade, metres, preview
from pcg.writers.terrain.layers import LAYERS, encode, file_dtype, layer_form

CHUNK: dict[str, Any] = {
    "scale": 0.25,
    "offset": -4096.0,
    "meters_per_pixel": 90.0,
    "x": 5,
    "y": -6,
    "provenance": {"params": {"seed": 2**53 - 1}},
}


def test_heights_are_in_metres() -> None:
    assert metres(CHUNK | {"height": np.array([[0, 16384, 65535]], np.uint16)}).tolist() == [[-4096, 0, 12287.75]]


def test_light_comes_from_the_north_west() -> None:
    y, x = np.mgrid[0:8, 0:8].astype(np.float32)
    flat = hillshade(np.zeros((8, 8)), 90)
    assert np.unique(flat).tolist() == [int(0.70710677 * 255)]
    facing, averted = hillshade((x + y) * 60, 90), hillshade(-(x + y) * 60, 90)
    assert facing.min() > flat[0, 0] > averted.max()
    assert np.array_equal(hillshade((x - y) * 20, 90), hillshade((y - x) * 20, 90))


@pytest.mark.parametrize("flip", [False, True])
def test_a_preview_is_north_up_and_small(flip: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pcg.writers.terrain.heightmap.PREVIEW_SIDE", 10)
    steps = np.random.default_rng(0).integers(0, 65536, (23, 31)).astype(np.uint16)
    rows = steps[::-1] if flip else steps
    for source in (rows, encode("height", "tif", rows, CHUNK)):
        shown = preview((source[i : i + 5] for i in range(0, 23, 5)), 31, 23, CHUNK, flip=flip)
        thin = metres(CHUNK | {"height": steps[::4, ::4]})
        assert np.array_equal(shown, hillshade(thin, 360.0, PREVIEW_EXAGGERATION))
    with pytest.raises(ValueError, match="2x2"):
        preview([], 1, 9, CHUNK, flip=flip)


def test_a_file_says_how_to_read_it() -> None:
    about = describe("height", "png", CHUNK, (31, 23), flip=False)
    assert (about["scale"], about["offset"], about["dtype"]) == (0.25, -4096.0, "<u2")
    assert (about["seed"], about["origin"]["x"], about["origin"]["y"]) == (2**53 - 1, 5, -6)
    about = describe("height", "npy", CHUNK, (31, 23), flip=True)
    assert (about["scale"], about["offset"], about["dtype"], about["rows"]) == (1.0, 0.0, "<f4", "south to north")


def test_normals_are_centred_on_128() -> None:
    normal = np.array([[[-127, 0, 127]]], np.int8)
    stored = encode("normal", "png", normal, CHUNK)
    assert stored.tolist() == [[[1, 128, 255]]]
    layer = LAYERS["normal"]
    assert np.allclose(stored * layer.scale + layer.offset, normal / 127)


def test_flow_is_a_geotiff_only_where_rows_begin_in_the_north() -> None:
    assert layer_form("flow", "png", flip=False) == "tif"
    assert layer_form("flow", "raw", flip=True) == layer_form("flow", "npy", flip=False) == "npy"
    assert layer_form("slope", "tif", flip=False) == "png"
    assert file_dtype("flow", "tif") == "<f4"
