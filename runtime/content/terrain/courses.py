"""The courses of streams: the pixels of a level through which the streams of the coarse level run.

A stream crosses from its cell to the next at the lowest pair of pixels on their common side. On plains, where that
would often be at a corner, it crosses near a place that a hash picks. Within a cell a stream takes the cheapest
path from where it enters to the exit; low ground is cheap. All paths of a cell form a tree (Dijkstra 1959, from the
exit), so streams join and never cross. A path depends only on its cell and the cell's sides.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
from numba import njit
from numpy.typing import NDArray

from runtime.content.terrain.fields import hash_grid, key
from runtime.content.terrain.streams import SIDES, STREAM, Streams

LEVEL_GROUND = 128  # 1/64 m above the cell's lowest pixel at which a step costs twice its length
ASIDE = 1024  # 1/64 m of height that count as much as the length of a side between a pixel and the picked place
STRAIGHT, DIAGONAL = 5, 7  # lengths of a step: 7/5 is the square root of 2 to one percent


def courses(
    ground: NDArray[np.int32], streams: Streams, least: int, row: int, column: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The courses of the streams that drain at least `least` cells.

    Args:
        ground: (H, W) in 1/64 m.
        streams: of the cells (h, w) that the ground consists of; a cell has H / h = W / w pixels a side.
        least: the smallest catchment of a stream, in cells.
        row: the first cell's row in the world.
        column: the first cell's column in the world.

    Returns:
        For every pixel the pixel that it flows to (row-major index, -1 for none), and the number of cells that drain
        through it (0 off the streams); both int32 (H, W). The outermost cells have no courses, since these depend on
        cells beyond.
    """
    side = ground.shape[0] // streams.direction.shape[0]
    rows, columns = (
        np.arange(first, first + n, dtype=np.int64)
        for first, n in zip((row, column), streams.direction.shape, strict=True)
    )
    places = [hash_grid(key(0, STREAM + k), rows, columns) % np.uint64(side) for k in (1, 2)]
    picked = np.stack(places, -1).astype(np.int32)
    to, drained = np.full(ground.size, -1, np.int32), np.zeros(ground.size, np.int32)
    _courses(ground, streams.direction, streams.catchment, picked, least, side, to, drained)
    return to.reshape(ground.shape), drained.reshape(ground.shape)


_SIDES = np.array(SIDES)


@njit(cache=True, nogil=True)
def _courses(
    ground: NDArray[np.int32],
    direction: NDArray[np.int8],
    catchment: NDArray[np.int32],
    picked: NDArray[np.int32],
    least: int,
    side: int,
    to: NDArray[np.int32],
    drained: NDArray[np.int32],
) -> None:
    columns = ground.shape[1]
    cost = np.empty((side, side), np.int64)
    way = np.empty((side, side), np.int32)
    for i in range(1, direction.shape[0] - 1):
        for j in range(1, direction.shape[1] - 1):
            top, left = i * side, j * side
            onward = catchment[i, j] >= least and direction[i, j] >= 0
            planned = False
            for k in range(4):
                a, b = i + _SIDES[k, 0], j + _SIDES[k, 1]
                if direction[a, b] != (k + 2) % 4 or catchment[a, b] < least:
                    continue
                if not planned:
                    if onward:
                        exit_row, exit_column = _crossing(ground, picked, i, j, direction[i, j], side)
                    else:
                        exit_row, exit_column = _lowest(ground, top, left, side)
                    _ways(ground, top, left, side, exit_row - top, exit_column - left, cost, way)
                    planned = True
                row, column = _crossing(ground, picked, a, b, (k + 2) % 4, side)
                row, column = row + _SIDES[(k + 2) % 4, 0], column + _SIDES[(k + 2) % 4, 1]
                while True:
                    place = row * columns + column
                    drained[place] += catchment[a, b]
                    following = way[row - top, column - left]
                    if following < 0:
                        break
                    row, column = top + following // side, left + following % side
                    to[place] = row * columns + column
            if onward:
                row, column = _crossing(ground, picked, i, j, direction[i, j], side)
                down, right = _SIDES[direction[i, j], 0], _SIDES[direction[i, j], 1]
                to[row * columns + column] = (row + down) * columns + column + right
                drained[row * columns + column] = catchment[i, j]
            if planned and onward:
                # Where catchments of joining streams overlap their sum counts land twice: the cell's is the bound.
                for row in range(top, top + side):
                    for column in range(left, left + side):
                        place = row * columns + column
                        drained[place] = min(drained[place], catchment[i, j])


@njit(cache=True, nogil=True)
def _crossing(
    ground: NDArray[np.int32], picked: NDArray[np.int32], i: int, j: int, k: int, side: int
) -> tuple[int, int]:
    """The pixel (row, column) at which a stream leaves cell (i, j) through side k: the first of the best pairs there.

    `picked`: int32 (h, w, 2), the picked places along each cell's eastern and southern side.
    """
    wanted = picked[i - (k == 0), j - (k == 3), 1 - k % 2]
    down, right = _SIDES[k, 0], _SIDES[k, 1]
    row = i * side + (side - 1 if down > 0 else 0)
    column = j * side + (side - 1 if right > 0 else 0)
    best, found = np.int64(1) << 40, 0
    for along in range(side):
        r, c = row + along * abs(right), column + along * abs(down)
        here, there = np.int64(ground[r, c]), np.int64(ground[r + down, c + right])
        height = 2 * max(here, there) + min(here, there) + 3 * ASIDE * abs(along - wanted) // side
        if height < best:
            best, found = height, along
    return row + found * abs(right), column + found * abs(down)


@njit(cache=True, nogil=True)
def _lowest(ground: NDArray[np.int32], top: int, left: int, side: int) -> tuple[int, int]:
    """The (row, column) of the first of a cell's lowest pixels."""
    found_row, found_column = top, left
    for row in range(top, top + side):
        for column in range(left, left + side):
            if ground[row, column] < ground[found_row, found_column]:
                found_row, found_column = row, column
    return found_row, found_column


@njit(cache=True, nogil=True)
def _ways(
    ground: NDArray[np.int32],
    top: int,
    left: int,
    side: int,
    exit_row: int,
    exit_column: int,
    cost: NDArray[np.int64],
    way: NDArray[np.int32],
) -> None:
    """Fill `way`: for every pixel of a cell the next pixel on the cheapest path to the exit; -1 at the exit."""
    low_row, low_column = _lowest(ground, top, left, side)
    low = ground[low_row, low_column]
    cost[:] = np.int64(1) << 60
    way[:] = -1
    cost[exit_row, exit_column] = 0
    queue = [(np.int64(0), exit_row * side + exit_column)]
    while queue:
        spent, place = heappop(queue)
        row, column = place // side, place % side
        if spent > cost[row, column]:
            continue
        price = np.int64(LEVEL_GROUND) + ground[top + row, left + column] - low
        for i in range(max(row - 1, 0), min(row + 2, side)):
            for j in range(max(column - 1, 0), min(column + 2, side)):
                length = STRAIGHT if i == row or j == column else DIAGONAL
                total = spent + length * price
                if total < cost[i, j]:
                    cost[i, j] = total
                    way[i, j] = place
                    heappush(queue, (total, i * side + j))
