"""Lakes: depressions filled to their outlets, unless they are so wide that a window's margin could not decide them.

As in `drainage`, pixels are taken from low to high, equal heights in row-major order, so lakes depend only on the order
of the heights and are the same on every machine.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from runtime.content.terrain.drainage import border


def lakes(
    heights: NDArray[np.int32], sea: NDArray[np.bool_], extent: int, depth: int, pixels: int
) -> NDArray[np.int32]:
    """The water's surface: int32 (H, W), the level of the lake over a pixel, and the ground where there is no lake.

    A depression is filled until its water reaches the sea or ground that drains, or covers more than `extent` pixels
    from north to south or from west to east. So a basin that is too wide has a lake at its bottom, as basins in dry
    land do. The border drains.

    A lake depends on no pixel further than `extent` from any of its own. So what is more than `extent` pixels from the
    border is the same in every window.

    Args:
        heights: (H, W).
        sea: bool (H, W); the surface of its pixels is their height.
        extent: the largest width of a lake, in pixels.
        depth: the least depth of a lake at its deepest pixel, in the units of the heights; shallower ones are dry.
        pixels: the least number of pixels of a lake; smaller ones are dry.
    """
    return _fill(heights, sea, extent, depth, pixels, True)[0]


def bottoms(
    heights: NDArray[np.int32], sea: NDArray[np.bool_], extent: int, diagonals: bool = True
) -> NDArray[np.bool_]:
    """The lowest pixels of the basins that are too wide for `lakes` to fill: bool (H, W).

    With these pixels and the sea as outlets, no basin wider than `extent` has to be filled. As with lakes, what is more
    than `extent` pixels from the border is the same in every window. Arguments as of `lakes`; without `diagonals` a
    pixel has four neighbours.
    """
    return _fill(heights, sea, extent, 0, 1, diagonals)[1]


def _fill(
    heights: NDArray[np.int32], sea: NDArray[np.bool_], extent: int, depth: int, pixels: int, diagonals: bool
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    rows, columns = heights.shape
    order = np.argsort(heights, axis=None, kind="stable").astype(np.int32)
    drains = (sea | border(rows, columns)).ravel()
    surface, wide = _lakes(order, heights.ravel(), drains, columns, extent, depth, pixels, diagonals)
    return np.asarray(surface, np.int32).reshape(heights.shape), wide.reshape(heights.shape)


@njit(cache=True, nogil=True)
def _lakes(
    order: NDArray[np.int32],
    heights: NDArray[np.int32],
    drains: NDArray[np.bool_],
    columns: int,
    extent: int,
    depth: int,
    pixels: int,
    diagonals: bool,
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The surface, and the lowest pixels of basins too wide to fill.

    Pixels are added from low to high; a pixel that touches several basins joins them.
    """
    rows = order.size // columns
    surface = heights.copy()
    state = np.zeros(order.size, np.int8)  # 0 not yet added, 1 in a basin, 2 drains
    parent = np.arange(order.size).astype(np.int32)  # of basins: a union-find forest
    following = parent.copy()  # a ring through the pixels of a basin
    size = np.ones_like(parent)
    top, bottom, left, right = parent // columns, parent // columns, parent % columns, parent % columns
    lowest = parent.copy()
    wide = np.zeros(order.size, np.bool_)
    basins = np.empty(8, np.int32)
    for place in order:
        row, column = place // columns, place % columns
        drained = drains[place]
        count = 0
        north, south, west, east = row, row, column, column
        for i in range(max(row - 1, 0), min(row + 2, rows)):
            for j in range(max(column - 1, 0), min(column + 2, columns)):
                if not diagonals and i != row and j != column:
                    continue
                other = i * columns + j
                if state[other] == 2:
                    drained = True
                elif state[other] == 1:
                    while parent[other] != other:
                        parent[other] = parent[parent[other]]
                        other = parent[other]
                    known = False
                    for k in range(count):
                        known = known or basins[k] == other
                    if not known:
                        basins[count] = other
                        count += 1
                        north, south = min(north, top[other]), max(south, bottom[other])
                        west, east = min(west, left[other]), max(east, right[other])
        if drained or south - north >= extent or east - west >= extent:
            state[place] = 2
            for k in range(count):  # the basins around it are full
                basin = basins[k]
                wide[lowest[basin]] |= not drained
                wet = heights[place] - heights[lowest[basin]] >= depth and size[basin] >= pixels
                at = basin
                while state[at] == 1:
                    state[at] = 2
                    if wet:
                        surface[at] = heights[place]
                    at = following[at]
            continue
        state[place] = 1
        for k in range(count):
            basin = basins[k]
            parent[basin] = place
            following[place], following[basin] = following[basin], following[place]
            size[place] += size[basin]
            if (heights[lowest[basin]], lowest[basin]) < (heights[lowest[place]], lowest[place]):
                lowest[place] = lowest[basin]
        top[place], bottom[place], left[place], right[place] = north, south, west, east
    return surface, wide
