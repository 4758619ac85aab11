"""Pictures of heights: colours where they belong, and no seam between chunks made apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from demos.world import shading

Land = Callable[..., np.ndarray]


def metres(land: Land, x: int, y: int, size: int) -> np.ndarray:
    return land(7, x, y, size).astype(np.float32) * np.float32(0.25) - np.float32(4096)


def flat(height: float, size: int = 10) -> np.ndarray:
    return np.full((size, size), height, np.float32)


def colour(height: float) -> np.ndarray:
    """The colour of flat ground."""
    return shading.shade(flat(height), 90.0)[4, 4].astype(int)


def test_shape_and_dtype() -> None:
    picture = shading.shade(np.zeros((12, 34), np.float32), 90.0)
    assert picture.shape == (10, 32, 3)
    assert picture.dtype == np.uint8


def test_colours_stay_float32(land: Land) -> None:
    assert shading.colours(metres(land, 0, 0, 18), 90.0).dtype == np.float32


@pytest.mark.parametrize("height", [-4090.0, -1000.0, -50.0, -0.25])
def test_sea_is_blue(height: float) -> None:
    red, green, blue = colour(height)
    assert blue > green > red


def test_the_sea_is_lighter_towards_the_shore() -> None:
    brightness = [colour(height).sum() for height in (-3000, -800, -200, -60, -10, -0.25)]
    assert brightness == sorted(set(brightness))


def test_land_by_height() -> None:
    beach, lowland, upland, snow = (colour(height) for height in (3, 200, 1600, 4500))
    assert beach[0] > beach[1] > beach[2]
    assert beach.min() > 130
    assert lowland[1] > lowland[0] > lowland[2]
    assert upland[0] > upland[1] > upland[2]
    assert snow.min() > 235
    assert np.ptp(colour(2700)) < 30  # grey


@pytest.mark.parametrize("height", [-300.0, 5.0, 500.0, 4000.0])
def test_flat_land_has_no_shadow(height: float) -> None:
    picture = shading.shade(flat(height), 90.0)
    assert (picture == picture[0, 0]).all()
    assert picture[0, 0].astype(float) == pytest.approx(shading.tint(flat(height), flat(0))[0, 0], abs=1)


def test_light_comes_from_the_north_west() -> None:
    rise = np.arange(20, dtype=np.float32) * 30
    to_east = np.tile(rise, (20, 1)) + 300  # rises towards the east: faces west
    faces = {"west": to_east, "east": to_east[:, ::-1], "north": to_east.T, "south": to_east.T[::-1]}
    light = {way: shading.hillshade(*shading.gradient(face, 90.0)).mean() for way, face in faces.items()}
    assert min(light["west"], light["north"]) > 1 > max(light["east"], light["south"])


def test_no_slope_is_black() -> None:
    cliff = np.arange(20, dtype=np.float32)[None, :] * np.ones((20, 1), np.float32) * -900 + 9000
    light = shading.hillshade(*shading.gradient(cliff, 90.0))
    assert light.min() > 0.1
    assert light.max() < 0.5


def test_gradient_is_exact_on_a_plane() -> None:
    columns, rows = np.meshgrid(np.arange(8), np.arange(6))
    plane = (45 * columns - 9 * rows).astype(np.float32)
    east, south = shading.gradient(plane, 90.0)
    assert east.shape == south.shape == (4, 6)
    np.testing.assert_allclose(east, 0.5, rtol=1e-6)
    np.testing.assert_allclose(south, -0.1, rtol=1e-6)


def test_steep_ground_is_greyer_and_bare_of_snow() -> None:
    def greyness(tint: np.ndarray) -> float:
        return float(-np.ptp(tint))

    gentle, steep = (shading.tint(flat(300), flat(slope))[0, 0] for slope in (0.1, 1.0))
    assert greyness(steep) > greyness(gentle)
    lying, bare = (shading.tint(flat(4000), flat(slope))[0, 0] for slope in (0.1, 1.4))
    assert lying.mean() > bare.mean() + 40


def test_chunks_made_apart_are_one_picture(land: Land) -> None:
    whole = shading.shade(metres(land, -101, -101, 102), 90.0)
    for x in (0, 50):
        for y in (0, 50):
            part = shading.shade(metres(land, x - 101, y - 101, 52), 90.0)
            np.testing.assert_array_equal(part, whole[y : y + 50, x : x + 50])


def test_a_pyramid_halves_by_averaging(land: Land) -> None:
    heights = metres(land, 0, 0, 66)
    pyramid = shading.pyramid(shading.colours(heights, 90.0), 3)
    assert [picture.shape for picture in pyramid] == [(64, 64, 3), (32, 32, 3), (16, 16, 3)]
    np.testing.assert_array_equal(pyramid[0], shading.shade(heights, 90.0))
    exact = shading.colours(heights, 90.0).astype(float)
    np.testing.assert_allclose(pyramid[1][3, 5], exact[6:8, 10:12].mean((0, 1)), atol=0.51)
    np.testing.assert_allclose(pyramid[2][3, 5], exact[12:16, 20:24].mean((0, 1)), atol=0.51)


def test_a_lake_is_water_and_its_floor_is_hidden(land: Land) -> None:
    heights = np.abs(metres(land, 0, 0, 34)) + 1  # no sea
    water = np.zeros((32, 32), np.float32)
    water[:, 8:20] = np.arange(1, 13)
    dry, wet = shading.colours(heights, 90.0), shading.colours(heights, 90.0, water)
    np.testing.assert_array_equal(wet[water == 0], dry[water == 0])
    red, green, blue = np.moveaxis(wet[water > 0], -1, 0)
    assert (blue > green).all()
    assert (green > red).all()
    flat_lake = shading.colours(flat(700, 34), 90.0, water)
    brightness = flat_lake[5, 8:20].sum(-1)
    assert (np.diff(brightness) < 0).all()  # darker the deeper


def test_the_sea_is_the_same_with_its_water_or_without(land: Land) -> None:
    heights = metres(land, 0, 0, 130)
    depth = np.maximum(-heights[1:-1, 1:-1], 0)
    assert (depth > 0).any()
    np.testing.assert_array_equal(shading.colours(heights, 90.0, depth), shading.colours(heights, 90.0))


@pytest.mark.parametrize("lod", [0, 2, 4])
def test_rivers_are_drawn_where_enough_land_drains(lod: int) -> None:
    pixel = 90.0 * 2**lod
    begins = shading.RIVER_PIXELS * pixel**2 / 1e6
    flow = np.zeros((8, 8), np.float32)
    flow[3] = begins * 0.99
    flow[4] = begins * 1.01
    flow[5] = begins * 100
    flow[7, 7] = begins * 100
    heights = flat(500)
    heights[8, 8] = -5  # the sea takes a river's colour away
    picture = shading.colours(heights, pixel, np.zeros_like(flow), flow)
    plain = shading.colours(heights, pixel)
    assert (picture != plain).any(-1)[:, :6].all(1).tolist() == [False] * 4 + [True, True, False, False]
    assert (picture[7, 7] == plain[7, 7]).all()
    assert np.abs(picture[5, 0] - shading.RIVER).sum() < np.abs(picture[4, 0] - shading.RIVER).sum()


def test_a_coarser_level_is_shaded_as_steep_as_a_finer() -> None:
    plane = np.arange(10, dtype=np.float32) * 30 * np.ones((10, 1), np.float32)
    fine, _ = shading.relief(plane, 90.0)
    exact, _ = shading.gradient(plane, 90.0)
    np.testing.assert_array_equal(fine, exact)
    coarse, _ = shading.relief(plane, 1440.0)
    assert exact.mean() / 16 < coarse.mean() < exact.mean()
