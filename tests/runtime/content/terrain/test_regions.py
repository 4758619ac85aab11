"""Water cut from regions: the same in every window, and across the edges of regions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import made_land
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.content.terrain.drainage import STEPS
from runtime.content.terrain.regions import LAKE_EXTENT, MARGIN, REGION, Heights, Regions, Water

FAR = 2**53


class Counted:
    """Heights that remember what was asked of them."""

    def __init__(self, heights: Heights = made_land.heights) -> None:
        self.heights, self.asked = heights, [(0, 0, 0)][:0]

    def __call__(self, lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
        self.asked.append((lod, row, column))
        return self.heights(lod, row, column, height, width)


def same(a: Water, b: Water) -> None:
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("corner", [(-5, -3000), (FAR, -FAR)])
def test_windows_agree_whatever_was_asked_before(corner: tuple[int, int]) -> None:
    row, column = corner[0] - 30, corner[1] + 40  # across the edge of two regions
    whole = Regions().water("a", made_land.heights, 0, row, column, 60, 80)
    assert whole.surface.shape == whole.accumulation.shape == whole.direction.shape == (60, 80)
    other = Regions(limit_bytes=1)  # caches nothing
    other.water("a", made_land.heights, 3, 7, 7, 1, 1, coarsest_lod=0)
    part = other.water("a", made_land.heights, 0, row + 11, column + 7, 33, 51)
    same(part, Water(*(layer[11:44, 7:58] for layer in whole)))


def test_a_window_is_cut_from_the_regions_around_it() -> None:
    heights = Counted()
    regions = Regions()
    regions.water("a", heights, 2, -1, REGION - 1, 2, 2, coarsest_lod=0)
    assert heights.asked == [(2, row - MARGIN, column - MARGIN) for row in (-REGION, 0) for column in (0, REGION)]
    regions.water("a", heights, 2, -300, 40, 200, 200, coarsest_lod=0)
    assert len(heights.asked) == 4
    regions.water("b", heights, 2, -300, 40, 200, 200, coarsest_lod=0)
    regions.water("a", heights, 3, -300, 40, 200, 200, coarsest_lod=0)
    assert len(heights.asked) == 6


def test_the_least_recently_used_region_is_dropped() -> None:
    heights = Counted()
    regions = Regions(limit_bytes=2 * 13 * REGION * REGION)  # int32, int64 and int8
    for column in (0, 1, 0, 2, 0, 1):
        regions.water("a", heights, 5, 0, column * REGION, 1, 1, coarsest_lod=0)
    assert [(column + MARGIN) // REGION for _, _, column in heights.asked] == [0, 1, 2, 1]


def test_threads_get_the_same_bytes() -> None:
    regions = Regions()
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(regions.water, "a", made_land.heights, 1, 5 * i, 7, 40, 40, 0) for i in range(4)]
        for i, job in enumerate(jobs):
            same(job.result(), Regions().water("a", made_land.heights, 1, 5 * i, 7, 40, 40, coarsest_lod=0))


def test_lakes_are_level_across_regions_and_no_wider_than_they_may_be() -> None:
    size = 60
    dimples = Regions().water("a", egg_box, 0, REGION - size, -size, 2 * size, 2 * size, coarsest_lod=0)
    ground = egg_box(0, REGION - size, -size, 2 * size, 2 * size)
    lake = dimples.surface > ground
    assert lake[size - 1].any()
    assert lake[:, size - 1].any()
    for a, b in ((np.s_[size - 1], np.s_[size]), (np.s_[:, size - 1], np.s_[:, size])):
        both = lake[a] & lake[b]
        assert both.any()
        np.testing.assert_array_equal(dimples.surface[a][both], dimples.surface[b][both])
    assert LAKE_EXTENT < MARGIN


def egg_box(_lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
    """Round basins 48 pixels apart and some 45 m deep, on land that falls to the east."""
    y, x = np.arange(row, row + height)[:, None], np.arange(column, column + width)
    bowls = np.abs(y % 48 - 24) + np.abs((x + 24) % 48 - 24)
    return (64 * (2000 + bowls) - x * 16).astype(np.int32)


def test_the_sea_is_level_and_takes_the_rivers() -> None:
    row, column = 300, -100
    water = Regions().water("a", made_land.heights, 1, row, column, 400, 400, coarsest_lod=0)
    ground = made_land.heights(1, row, column, 400, 400)
    sea = ground < 0
    assert 0.02 < sea.mean() < 0.9
    assert not water.surface[sea].any()
    assert not water.accumulation[sea].any()
    assert (water.direction[sea] == -1).all()
    assert (water.surface[~sea] >= ground[~sea]).all()
    assert (water.accumulation[~sea] >= 1).all()


def valley(lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
    """A valley that runs east without end, winding gently, 2 m a pixel to the sides and 0.5 m a pixel down."""
    y = (np.arange(row, row + height)[:, None] * 2 + 1) << lod
    x = (np.arange(column, column + width) * 2 + 1) << lod
    bend = np.abs(x % 1600 - 800) // 8 + 500
    return (64 * np.abs(y - bend) - 16 * x + 64 * 12000).astype(np.int32)


def test_a_river_crosses_regions_with_the_land_upstream_of_a_coarser_level() -> None:
    def biggest(coarsest_lod: int | None) -> NDArray[np.int64]:
        water = Regions().water("a", valley, 0, 200, 4 * REGION - 200, 200, 400, coarsest_lod=coarsest_lod)
        largest: NDArray[np.int64] = water.accumulation.max(0)
        return largest

    alone, fed = biggest(0), biggest(None)
    # Alone, each region knows the 128 pixels upstream of it; fed, what the coarse region knows, from both sides.
    assert alone[200] < 0.5 * alone[199]
    assert fed[199] > 3 * alone[199]
    assert 0.9 < fed[200] / fed[199] < 1.1
    assert (np.abs(np.diff(fed)) < 0.1 * fed[1:]).all()


def test_directions_lead_downstream() -> None:
    side = 200
    water = Regions().water("a", made_land.heights, 0, 20, 30, side, side, coarsest_lod=0)
    rows, columns = np.nonzero(water.direction >= 0)
    assert len(rows) > 1000
    to = np.array(STEPS)[water.direction[rows, columns]] + np.stack([rows, columns], 1)
    within = ((to >= 0) & (to < side)).all(1)
    downstream = water.accumulation[tuple(to[within].T)]
    land = water.direction[tuple(to[within].T)] >= 0
    assert (downstream > water.accumulation[rows[within], columns[within]])[land].all()
