"""Layers of land whose answers are known, of endless land in every window, and their bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import made_land
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import pcg.exact
from runtime.content.terrain import climate, fields, layers
from runtime.content.terrain.regions import Regions, Water

FAR = 2**53


def plane(east: float, north: float, side: int = 10) -> NDArray[np.float64]:
    """Heights at 90 m a pixel of a plane that climbs so many metres a metre; rows run south."""
    rows, columns = np.mgrid[:side, :side]
    heights: NDArray[np.float64] = 90.0 * (east * columns - north * rows)
    return heights


def dry(lod: int, row: int, column: int, side: int) -> tuple[NDArray[np.int32], Water]:
    """A frame of the made-up land, and its water where there are no lakes and one pixel drains through each."""
    frame = made_land.heights(lod, row - 1, column - 1, side + 2, side + 2)
    ground = frame[1:-1, 1:-1]
    one = np.ones(ground.shape, np.int64)
    return frame, Water(np.maximum(ground, 0), one, np.full(ground.shape, -1, np.int8))


def computed(seed: int, x: int, y: int, side: int, lod: int = 0) -> dict[str, NDArray[Any]]:
    frame, water = dry(lod, y >> lod, x >> lod, side)
    return layers.compute(layers.LAYERS, seed, x, y, lod, frame, water)


def test_hashes_are_those_of_the_models() -> None:
    y = np.array([-FAR, -1, 0, 1, 2**31, FAR], np.int64)
    x = np.arange(-3, 4, dtype=np.int64)
    for seed, stream in ((0, 0), (7, 10_000), (FAR - 1, 3)):
        key = pcg.exact.key(torch.tensor([seed]), stream)
        expected = pcg.exact.hash_grid(key, torch.from_numpy(y)[None], torch.from_numpy(x)[None])[0].numpy()
        np.testing.assert_array_equal(fields.hash_grid(fields.key(seed, stream), y, x).view(np.int64), expected)


def test_gradient_noise_is_smooth_and_of_the_size_it_says() -> None:
    at = fields.centres(-1000, 0, 2000)
    noise = fields.gradient_noise(fields.key(3, 1), at, at, 64)
    assert abs(noise.mean()) < 0.01
    assert 0.19 < noise.std() < 0.26
    assert np.abs(noise).max() < 0.8
    assert np.abs(np.diff(noise)).max() < 3 / 64  # across lattice lines too
    assert not np.array_equal(noise, fields.gradient_noise(fields.key(4, 1), at, at, 64))


def test_a_coarse_pixel_is_sampled_in_the_middle_of_its_fine_ones() -> None:
    for first in (-FAR, -48, 0, FAR):
        for lod in range(1, 6):
            fine, coarse = fields.centres(first, lod - 1, 16), fields.centres(first, lod, 8)
            np.testing.assert_array_equal((fine[::2] + fine[1::2]) // 2, coarse)
            np.testing.assert_array_equal((fine[::2] + fine[1::2]) % 2, 0)


@pytest.mark.parametrize(("east", "north"), [(0, 0), (1, 0), (0, 1), (-0.5, 0.25), (3, -4)])
def test_normals_of_a_plane_are_right_handed_and_point_up(east: float, north: float) -> None:
    up = np.array([-east, -north, 1]) / np.sqrt(east**2 + north**2 + 1)
    found = layers.normals(plane(east, north), 90)
    assert found.shape == (8, 8, 3)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, np.broadcast_to(np.rint(127 * up), found.shape))


def test_slope_is_to_the_nearest_half_degree() -> None:
    for half_degrees in range(180):
        for off, expected in ((-0.24, half_degrees), (0.24, half_degrees), (0.26, half_degrees + 1)):
            steep = np.tan(np.radians(max(half_degrees / 2 + off, 0)))
            assert (layers.slope(plane(0.6 * steep, -0.8 * steep, 3), 90) == expected).all()
    assert (layers.slope(plane(1e9, 0, 3), 90) == 180).all()


def test_water_and_height_add_up_to_a_level_surface() -> None:
    ground = np.arange(-200, 400, dtype=np.int32)[None]
    surface = np.where(ground < 0, 0, np.where(ground < 300, 301, ground)).astype(np.int32)
    depth = layers.water(ground, surface)
    height = layers.quarter_metres(ground)
    wet = surface > ground
    np.testing.assert_array_equal((height + depth)[wet & (ground < 0)], 16384)
    np.testing.assert_array_equal((height + depth)[wet & (ground >= 0)], 16384 + 19)
    assert not depth[~wet].any()
    assert depth[0, :17].tolist() == [12] * 16 + [11]  # 3.125 m lies between two quarters: the upper height is taken


def test_flow_is_in_square_kilometres() -> None:
    pixels = np.array([[1, 1000], [2**40, 0]], np.int64)
    assert layers.flow(pixels, 90).dtype == np.float32
    np.testing.assert_allclose(layers.flow(pixels, 90), pixels * 0.0081, rtol=1e-7)
    np.testing.assert_allclose(layers.flow(pixels, 180), pixels * 0.0324, rtol=1e-7)


def test_biomes_follow_temperature_and_moisture() -> None:
    kinds = {
        (-20, 0.5): "ice",
        (-5, 0.5): "tundra",
        (2, 0.6): "taiga",
        (2, 0.1): "grassland",
        (8, 0.5): "temperate forest",
        (15, 0.8): "temperate rainforest",
        (15, 0.4): "shrubland",
        (25, 0.1): "desert",
        (25, 0.4): "savanna",
        (25, 0.6): "tropical seasonal forest",
        (20, 0.7): "tropical rainforest",
    }
    weather = climate.Climate(*(np.array([[kind[i] for kind in kinds]], np.float64) for i in range(2)))
    frame = np.full((3, len(kinds) + 2), 100.0)
    none = np.zeros((1, len(kinds)), np.uint16)
    found = climate.biome(frame, none, 90, weather)
    assert [climate.PALETTE[i].name for i in found[0]] == list(kinds.values())
    assert (climate.biome(frame, none + 1, 90, weather) == climate.LAKE).all()
    assert (climate.biome(-frame, none + 1, 90, weather) == climate.OCEAN).all()
    shore = frame * 0.05
    shore[0] = -1
    assert [climate.PALETTE[i].name for i in climate.biome(shore, none, 90, weather)[0]] == ["ice"] + 10 * ["beach"]
    np.testing.assert_array_equal(climate.biome(shore, none, 720, weather), found)  # too wide a pixel for a beach


def test_high_land_is_colder_by_the_lapse_rate() -> None:
    low, high = (climate.climate(5, 0, 0, 0, np.full((8, 8), metres)).temperature for metres in (0.0, 2000.0))
    np.testing.assert_allclose(low - high, 13)


def test_climates_differ_over_the_world_and_hardly_over_a_chunk() -> None:
    far = climate.climate(5, -(2**17), -(2**17), 10, np.full((256, 256), 300.0))
    assert np.quantile(far.temperature, 0.05) < -5 < 25 < np.quantile(far.temperature, 0.95)
    assert np.quantile(far.moisture, 0.05) < 0.25 < 0.75 < np.quantile(far.moisture, 0.95)
    near = climate.climate(5, 0, 0, 0, np.zeros((256, 256)))
    assert np.ptp(near.temperature) < 8
    assert near.temperature.std() > 0.1  # the dither


def test_ground_cover_where_it_is_known() -> None:
    def cover(steep: float, degrees: float, moisture: float, depth: int = 0) -> list[int]:
        weather = climate.Climate(np.full((1, 1), degrees), np.full((1, 1), moisture))
        square = np.full((1, 1), steep**2)
        water = np.full((1, 1), depth, np.uint16)
        found: list[int] = climate.splat(np.full((3, 3), 50.0), water, 90, square, weather)[0, 0].tolist()
        return found

    assert cover(0, 15, 0.6) == [0, 255, 0, 0]  # rock, grass, sand, snow
    assert cover(2, 15, 0.6) == [255, 0, 0, 0]
    assert cover(0, 25, 0.05) == [0, 0, 255, 0]
    assert cover(0, -10, 0.6) == [0, 0, 0, 255]
    assert cover(0, -10, 0.6, depth=4) == [0, 0, 255, 0]
    rock, grass, sand, snow = cover(0.7, 15, 0.6)
    assert min(rock, grass) > 50
    assert sand == snow == 0


def test_ground_cover_always_sums_to_255() -> None:
    rng = np.random.default_rng(0)
    weather = climate.Climate(rng.uniform(-15, 30, (200, 200)), rng.uniform(0, 1, (200, 200)))
    frame = rng.uniform(-5, 30, (202, 202))
    water = rng.integers(0, 2, (200, 200)).astype(np.uint16)
    cover = climate.splat(frame, water, 90, rng.uniform(0, 3, (200, 200)), weather)
    assert cover.dtype == np.uint8
    np.testing.assert_array_equal(cover.sum(-1, dtype=np.int64), 255)
    assert (cover.min((0, 1)) == 0).all()
    assert (cover.max((0, 1)) == 255).all()


@pytest.mark.parametrize("corner", [(0, 0), (-77, -1000), (FAR - 40, -FAR), (-FAR, FAR)])
def test_layers_do_not_depend_on_the_window(corner: tuple[int, int]) -> None:
    x, y = corner
    whole, part = computed(9, x, y, 80), computed(9, x + 31, y + 17, 40)
    assert set(whole) == set(layers.LAYERS) - {"height"}
    for name, layer in layers.LAYERS.items():
        if name != "height":
            assert whole[name].dtype == np.dtype(layer.dtype)
            assert whole[name].shape == (80, 80) + ((layer.channels,) if layer.channels > 1 else ())
            np.testing.assert_array_equal(part[name], whole[name][17:57, 31:71])


def test_levels_show_the_same_climate() -> None:
    fine, coarse = (
        climate.climate(9, -4096, 8192, lod, made_land.heights(lod, 8192 >> lod, -4096 >> lod, side, side) / 64)
        for lod, side in ((0, 512), (3, 64))
    )
    for name, most in (("temperature", 0.6), ("moisture", 0.03)):
        blocks = getattr(fine, name).reshape(64, 8, 64, 8).mean((1, 3))
        assert np.abs(blocks - getattr(coarse, name)).mean() < most


def test_layers_that_need_water_say_so() -> None:
    frame, _ = dry(0, 0, 0, 8)
    assert set(layers.compute(["normal", "slope"], 1, 0, 0, 0, frame)) == {"normal", "slope"}
    with pytest.raises(ValueError, match="biome, flow need the water"):
        layers.compute(["biome", "slope", "flow"], 1, 0, 0, 0, frame)


GOLDEN = {
    "biome": "423bdd46380a35d88c47e2d0e7b71942dcb2840ba0fd45d0179ee4ca4987e721",
    "flow": "62f7e32b3c52ae5710eb5d3ce3d147464d441794b1f01919981bb5ed76432aef",
    "normal": "b0dfe5b7ae201796079c97145f07b16a8b5b0b7b0f3763fd7b72aaa7c5d9a921",
    "slope": "165c825a09478ff78240aaa534578e0312af603fab3a557e8cdf266fc8a45fbf",
    "splat": "e70d4ae488ce32b6b0b22f120da6e93ccd82d360d17d59aba28f01cbc78defd0",
    "water": "c01b56f54df47a79aeb8a9ab31e372501f5b97cb8ed17f990fee520f017ff576",
}


@pytest.fixture(scope="module")
def golden_chunk() -> dict[str, NDArray[Any]]:
    x, y, lod, side = -300, 9000, 1, 200
    row, column = y >> lod, x >> lod
    water = Regions().water("made", made_land.heights, lod, row, column, side, side)
    frame = made_land.heights(lod, row - 1, column - 1, side + 2, side + 2)
    return layers.compute(layers.LAYERS, 2**52 + 38, x, y, lod, frame, water)


@pytest.mark.parametrize("name", sorted(set(layers.LAYERS) - {"height"}))
def test_bytes_are_the_same_everywhere(name: str, golden_chunk: dict[str, NDArray[Any]]) -> None:
    assert len(np.unique(golden_chunk[name])) > 3
    assert hashlib.sha256(golden_chunk[name].tobytes()).hexdigest() == GOLDEN[name]


def test_the_documentation_has_every_layer_and_the_palette_as_they_are() -> None:
    text = (Path(__file__).parents[4] / "docs" / "layers.md").read_text()
    for name, layer in layers.LAYERS.items():
        assert f"| `{name}` | {np.dtype(layer.dtype).name} |" in text
    for index, kind in enumerate(climate.PALETTE):
        assert f"| {index} | {kind.name} | {', '.join(map(str, kind.rgb))} |" in text
    limits = (*(f"< {edge:g}" for edge in climate.TEMPERATURE_BANDS), "warmer")
    for limit, kinds in zip(limits, climate.WHITTAKER, strict=True):
        assert f"| {limit} | {' | '.join(climate.PALETTE[kind].name for kind in kinds)} |" in text
    assert f"| < {' | < '.join(f'{edge:g}' for edge in climate.MOISTURE_BANDS)} | wetter |" in text
