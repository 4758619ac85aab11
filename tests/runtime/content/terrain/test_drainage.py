"""Drainage and lakes on small land worked out by hand, and against their definitions on random land with ties."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.content.terrain.drainage import CHANCES, border, drain
from runtime.content.terrain.lakes import bottoms, lakes

BOWL = np.array(
    [
        [9, 9, 9, 9, 9],
        [9, 2, 3, 9, 9],
        [9, 9, 1, 9, 5],  # the border's lowest is this 5, but an 8 stands before it
        [9, 9, 9, 8, 9],
        [9, 9, 9, 9, 9],
    ],
    np.int32,
)


def test_a_bowl_fills_to_its_outlet_and_drains_over_it() -> None:
    drainage = drain(BOWL)
    expected = BOWL.copy()
    expected[1, 1] = expected[1, 2] = expected[2, 2] = 8
    np.testing.assert_array_equal(drainage.filled, expected)
    dam = 3 * 5 + 3
    assert drainage.outlet[1, 1] == drainage.outlet[1, 2] == drainage.outlet[2, 2] == dam
    assert drainage.receiver[2, 2] == dam
    assert drainage.receiver[3, 3] == 2 * 5 + 4  # the 5
    assert drainage.accumulation[3, 3] == 7  # itself, the bowl, and the three 9s that the flood reached from there


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_only_the_order_of_heights_counts_whatever_their_type(dtype: type) -> None:
    heights = np.random.default_rng(1).integers(0, 20, (30, 41)).astype(np.int32)
    for steepest in (False, True):
        expected, found = drain(heights, steepest=steepest), drain(heights.astype(dtype), steepest=steepest)
        assert found.filled.dtype == dtype
        for name in ("filled", "accumulation", "receiver", "outlet"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_steepest_descent_is_drop_over_distance() -> None:
    heights = np.full((5, 5), 99)
    heights[2, 2] = 20
    heights[2, 3], heights[3, 3] = 10, 7  # 10 over 1, 13 over 1.41
    for row in (2, 3):
        heights[row, 4] = 0
    assert drain(heights).receiver[2, 2] == 3 * 5 + 3  # the flood comes from the lowest
    assert drain(heights, steepest=True).receiver[2, 2] == 2 * 5 + 3
    heights[3, 3] = 5  # 15 over 1.41 is more than 10
    assert drain(heights, steepest=True).receiver[2, 2] == 3 * 5 + 3


def test_steepest_drainage_loses_no_water_and_never_climbs() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        heights = rng.integers(0, 12, (17, 23))
        drainage = drain(heights, steepest=True)
        filled, receiver = drainage.filled.ravel(), drainage.receiver.ravel()
        inner = receiver >= 0
        assert (filled[receiver[inner]] <= filled[inner]).all()
        assert drainage.accumulation.ravel()[~inner].sum() == heights.size
        arriving = np.bincount(receiver[inner], drainage.accumulation.ravel()[inner], minlength=heights.size)
        np.testing.assert_array_equal(drainage.accumulation.ravel(), 1 + arriving)


def test_a_depression_drains_to_its_bottom_and_out_along_the_lowest_ground() -> None:
    heights = np.full((7, 9), 9)
    heights[3, 1:8] = [6, 4, 1, 3, 5, 7, 8]  # a trench that is deepest at its third pixel, open to the east at 8
    heights[3, 8] = 0
    row = 3 * 9
    receiver = drain(heights, steepest=True).receiver
    np.testing.assert_array_equal(receiver[3, 1:8], np.arange(row + 2, row + 9))
    np.testing.assert_array_equal(drain(heights).filled[3, 1:8], 8)


def test_inflow_passes_down_a_valley() -> None:
    valley = np.abs(np.arange(9) - 4)[None] * 10 + np.arange(12, 0, -1)[:, None]
    outlets = border(12, 9)
    outlets[0] = False
    inflow = np.zeros((12, 9), np.int64)
    inflow[0, 4] = 1000
    drainage = drain(valley, outlets, inflow, steepest=True)
    assert (drainage.accumulation[:, 4] > 1000).all()
    assert (np.diff(drainage.accumulation[:, 4]) > 0).all()
    assert (np.delete(drainage.accumulation, 4, axis=1) < 100).all()


def test_land_without_an_outlet_is_refused() -> None:
    with pytest.raises(ValueError, match="no outlet"):
        drain(BOWL, np.zeros(BOWL.shape, np.bool_))


def lakes_by_definition(heights: np.ndarray, sea: np.ndarray, extent: int, depth: int, pixels: int) -> np.ndarray:
    """Grow the pool around every pixel, lowest neighbour first, until it meets what drains or is too wide."""
    rows, columns = heights.shape
    order = np.argsort(heights, axis=None, kind="stable")
    rank = np.empty(heights.size, np.int64)
    rank[order] = np.arange(heights.size)
    rank = rank.reshape(heights.shape)
    surface = heights.copy()
    drains = sea | border(rows, columns)
    for place in order:
        start = divmod(int(place), columns)
        pool, edge = {start}, {start}
        level = -1
        while edge:
            low = min(edge, key=lambda p: rank[p])
            edge.remove(low)
            if rank[low] > level:
                full = set(pool) - edge - {low}
                level = rank[low]
            pool.add(low)
            # Everything that the pool would cover if it stood at this pixel's rank.
            todo = [low]
            while todo:
                i, j = todo.pop()
                for a in range(max(i - 1, 0), min(i + 2, rows)):
                    for b in range(max(j - 1, 0), min(j + 2, columns)):
                        if (a, b) in pool:
                            continue
                        if rank[a, b] <= level:
                            pool.add((a, b))
                            todo.append((a, b))
                        else:
                            edge.add((a, b))
            wet = [p for p in pool if p not in edge]
            across = np.ptp(np.array(wet), axis=0)
            if any(drains[p] for p in wet) or across.max() >= extent:
                height = heights.ravel()[order[level]]
                inside = [p for p in full if rank[p] < level]
                if start in full and height - min(heights[p] for p in inside) >= depth and len(inside) >= pixels:
                    surface[start] = height
                break
    return surface


def test_a_lake_in_a_bowl_a_puddle_and_the_sea() -> None:
    dry = np.zeros(BOWL.shape, np.bool_)
    expected = BOWL.copy()
    expected[1, 1] = expected[1, 2] = expected[2, 2] = 8
    np.testing.assert_array_equal(lakes(BOWL, dry, 3, 7, 3), expected)
    np.testing.assert_array_equal(lakes(BOWL, dry, 3, 8, 3), BOWL)  # 7 deep
    np.testing.assert_array_equal(lakes(BOWL, dry, 3, 7, 4), BOWL)  # three pixels
    sea = dry.copy()
    sea[2, 2] = True
    np.testing.assert_array_equal(lakes(BOWL, sea, 3, 1, 1), BOWL)


def test_a_basin_too_wide_to_fill_has_a_lake_at_its_bottom() -> None:
    cone = np.maximum.outer(np.abs(np.arange(41) - 20), np.abs(np.arange(41) - 20)).astype(np.int32)
    dry = np.zeros(cone.shape, np.bool_)
    surface = lakes(cone, dry, 39, 1, 1)
    assert (surface == np.maximum(cone, 20)).all()  # filled to the brim
    surface = lakes(cone, dry, 11, 1, 1)
    assert (surface == np.maximum(cone, 6)).all()  # 5 either way of the middle: 11 pixels


@pytest.mark.parametrize(("extent", "depth", "pixels"), [(4, 1, 1), (7, 2, 3), (99, 1, 1)])
def test_lakes_match_the_definition(extent: int, depth: int, pixels: int) -> None:
    rng = np.random.default_rng(extent)
    for _ in range(8):
        heights = rng.integers(-2, 9, (14, 17)).astype(np.int32)
        sea = heights < 0
        expected = lakes_by_definition(heights, sea, extent, depth, pixels)
        np.testing.assert_array_equal(lakes(heights, sea, extent, depth, pixels), expected)


def test_lakes_are_the_same_in_every_window_that_shows_them() -> None:
    rng = np.random.default_rng(5)
    extent = 9
    for _ in range(30):
        heights = rng.integers(-1, 12, (60, 70)).astype(np.int32)
        whole = lakes(heights, heights < 0, extent, 1, 2)
        top, left = rng.integers(0, 20, 2)
        window = np.s_[top : top + 40, left : left + 45]
        part = lakes(heights[window], heights[window] < 0, extent, 1, 2)
        inner = np.s_[extent:-extent, extent:-extent]
        if top and left:
            np.testing.assert_array_equal(part[inner], whole[window][inner])
        assert (part[inner] > heights[window][inner]).any()


def test_the_bottoms_of_wide_basins_are_where_water_stays() -> None:
    rng = np.random.default_rng(6)
    extent = 9
    for _ in range(20):
        heights = rng.integers(-1, 12, (60, 70)).astype(np.int32)
        sea = heights < 0
        found = bottoms(heights, sea, extent, diagonals=False)
        top, left = rng.integers(1, 20, 2)
        window = np.s_[top : top + 40, left : left + 45]
        inner = np.s_[extent:-extent, extent:-extent]
        part = bottoms(heights[window], sea[window], extent, diagonals=False)
        np.testing.assert_array_equal(part[inner], found[window][inner])
    cone = np.maximum.outer(np.abs(np.arange(41) - 20), np.abs(np.arange(41) - 20)).astype(np.int32)
    dry = np.zeros(cone.shape, np.bool_)
    assert not bottoms(cone, dry, 39).any()
    assert np.argwhere(bottoms(cone, dry, 11)).tolist() == [[20, 20]]
    # With them for outlets nothing is filled that is wider.
    cone[5, 5] = 0
    drainage = drain(cone, border(41, 41) | bottoms(cone, dry, 11))
    assert drainage.receiver[20, 20] == -1
    assert (drainage.filled == cone).sum() == cone.size - 1


def test_by_chance_water_goes_to_lower_neighbours_of_four_and_down_the_slope_on_the_whole() -> None:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:80, 0:90]
    slope = 1000 - 4 * y - 3 * x
    chance = rng.integers(0, CHANCES, slope.shape)
    drainage = drain(slope, chance=chance)
    inner = np.s_[1:-1, 1:-1]
    step = (drainage.receiver - np.arange(slope.size).reshape(slope.shape))[inner]
    assert set(np.unique(step).tolist()) == {1, 90}  # south or east, both of which are lower
    assert (step == 90).mean() == pytest.approx(16 / 25, abs=0.02)
    again = drain(slope, chance=np.zeros_like(chance))
    assert (again.receiver[inner] - np.arange(slope.size).reshape(slope.shape)[inner] == 1).all()  # the first of STEPS
    rough = rng.integers(0, 12, (17, 23))
    drainage = drain(rough, chance=rng.integers(0, CHANCES, rough.shape))
    receiver, filled = drainage.receiver.ravel(), drainage.filled.ravel()
    went = receiver >= 0
    assert (filled[receiver[went]] <= filled[went]).all()
    assert set(np.abs(receiver[went] - np.flatnonzero(went)).tolist()) <= {1, 23}
    assert drainage.accumulation.ravel()[~went].sum() == rough.size
