"""Where water goes on a heightmap: depressions filled to their outlets, and drainage areas.

Pixels are visited from low to high, equal heights in row-major order, so everything here depends on the order of the
heights alone and is the same on every machine. The flood is priority-flood with a queue inside depressions (Barnes,
Lehman and Mulla 2014, "Priority-flood: an optimal depression-filling and watershed-labeling algorithm", algorithm 2).
Between depressions it needs no heap: what the flood reaches there is never lower than where it stands, so one walk
over the sorted pixels finds the next of those reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

# D8 directions (O'Callaghan and Mark 1984): row and column steps, clockwise from north.
STEPS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
CHANCES = 1 << 10  # so that a drop of 16,384 m in 1/64 m, squared, times a chance is exact in float64


@dataclass(frozen=True)
class Drainage:
    """What `drain` found, all (H, W). Pixels are named by their row-major index.

    `filled`: the heights, every depression raised to its outlet, in the units and dtype of the heights.
    `accumulation`: int64, the pixels whose water passes a pixel, itself included, and the inflow upstream of it.
    `receiver`: int32, the pixel that a pixel drains to; -1 where water leaves.
    `outlet`: int32, the pixel that holds a pixel's water back, itself where nothing does: filled = heights[outlet].
    """

    filled: NDArray[Any]
    accumulation: NDArray[np.int64]
    receiver: NDArray[np.int32]
    outlet: NDArray[np.int32]


def border(rows: int, columns: int) -> NDArray[np.bool_]:
    """True in the first and last row and column of (rows, columns)."""
    edge = np.ones((rows, columns), np.bool_)
    edge[1:-1, 1:-1] = False
    return edge


def drain(
    heights: NDArray[Any],
    outlets: NDArray[np.bool_] | None = None,
    inflow: NDArray[np.int64] | None = None,
    steepest: bool = False,
    chance: NDArray[np.int64] | None = None,
) -> Drainage:
    """Fill and drain one heightmap (H, W), of integers or floats without NaN.

    `outlets` bool (H, W) says where water leaves the map, the whole border if not given; `inflow` int64 (H, W) is
    drainage area in pixels that enters from outside. A pixel drains to the neighbour (of eight) that the flood reached
    it from. With `steepest`, a pixel with lower neighbours drains down the steepest descent of the filled surface
    instead (drop over distance; the first of STEPS where equal), which is the usual D8: on open slopes it follows the
    ground where the flood would take the lowest neighbour, a diagonal, too often. Within a depression it then drains
    to its bottom, and from there along the lowest ground to the outlet; the flood alone draws straight lines.
    With `chance`, int64 (H, W) in 0..CHANCES-1, pixels have four neighbours instead of eight, and of those that are
    lower one is taken by chance, by the square of the drop to it (after Fairfield and Leymarie 1991, "Drainage networks
    from grid digital elevation models", rho4): so streams on a slope run down it on the whole, whichever way it faces,
    and join, where the steepest of few directions makes them parallel.

    Raises:
        ValueError: no outlet, or too many pixels for their int32 index.
    """
    rows, columns = heights.shape
    if heights.size >= 2**31:
        raise ValueError(f"{rows} x {columns} pixels are too many; there can be 2^31 - 1")
    outlets = border(rows, columns) if outlets is None else outlets
    if not outlets.any():
        raise ValueError("no outlet; water needs at least one pixel to leave by")
    order = np.argsort(heights, axis=None, kind="stable").astype(np.int32)
    outlet, receiver, reached = _flood(
        order, rows, columns, outlets.ravel(), steepest or chance is not None, chance is None
    )
    filled = heights.ravel()[outlet]
    # float64 holds int32 and float32 exactly, so drops are exact and one compiled function serves all.
    if chance is not None:
        _stray(filled.astype(np.float64), chance.ravel(), receiver, rows, columns)
    elif steepest:
        _descend(filled.astype(np.float64), receiver, rows, columns)
    upstream = np.ones(heights.size, np.int64) if inflow is None else inflow.ravel() + 1
    _accumulate(reached, receiver, upstream)
    shape = heights.shape
    return Drainage(filled.reshape(shape), upstream.reshape(shape), receiver.reshape(shape), outlet.reshape(shape))


@njit(cache=True, nogil=True)
def _flood(
    order: NDArray[np.int32], rows: int, columns: int, starts: NDArray[np.bool_], lowest_first: bool, diagonals: bool
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Outlet and receiver of every pixel, and the pixels in an order in which each comes after its receiver.

    A depression is walked from its outlet in the order its pixels were reached, or the lowest of those first.
    """
    rank = np.empty_like(order)
    for r in range(order.size):
        rank[order[r]] = r
    outlet, receiver = np.full_like(order, -1), np.full_like(order, -1)
    reached, waiting = np.empty_like(order), np.empty_like(order)
    seen = starts.copy()
    count = 0
    for r in range(order.size):
        dam = order[r]
        if not seen[dam] or outlet[dam] >= 0:
            continue
        outlet[dam] = dam
        first, last = 0, 1  # of the depression's pixels
        waiting[0] = dam
        lowest = [np.int32(r)]
        while first < last:
            place = order[heappop(lowest)] if lowest_first else waiting[first]
            first += 1
            reached[count] = place
            count += 1
            row, column = place // columns, place % columns
            for i in range(max(row - 1, 0), min(row + 2, rows)):
                for j in range(max(column - 1, 0), min(column + 2, columns)):
                    other = i * columns + j
                    if not seen[other] and (diagonals or i == row or j == column):
                        seen[other] = True
                        receiver[other] = place
                        if rank[other] < r:
                            outlet[other] = dam
                            if lowest_first:
                                heappush(lowest, rank[other])
                            else:
                                waiting[last] = other
                            last += 1
    return outlet, receiver, reached


@njit(cache=True, nogil=True)
def _descend(filled: NDArray[np.float64], receiver: NDArray[np.int32], rows: int, columns: int) -> None:
    """Turn receivers to the steepest descent, where there is one. Never a cycle: the filled surface only descends."""
    for row in range(rows):
        for column in range(columns):
            place = row * columns + column
            if receiver[place] < 0:
                continue
            best = 0.0
            for i, j in STEPS:
                if 0 <= row + i < rows and 0 <= column + j < columns:
                    other = (row + i) * columns + column + j
                    drop = filled[place] - filled[other]
                    if drop > 0:
                        steep = drop * drop * (1 if i == 0 or j == 0 else 0.5)  # a diagonal is the root of 2 long
                        if steep > best:
                            best = steep
                            receiver[place] = other


@njit(cache=True, nogil=True)
def _stray(
    filled: NDArray[np.float64], chance: NDArray[np.int64], receiver: NDArray[np.int32], rows: int, columns: int
) -> None:
    """Turn receivers to one of the lower neighbours of four, where there is one."""
    drops = np.empty(4, np.float64)
    for row in range(rows):
        for column in range(columns):
            place = row * columns + column
            if receiver[place] < 0:
                continue
            total = 0.0
            for k in range(4):
                i, j = row + STEPS[2 * k][0], column + STEPS[2 * k][1]
                drops[k] = 0.0
                if 0 <= i < rows and 0 <= j < columns:
                    drops[k] = max(filled[place] - filled[i * columns + j], 0.0) ** 2
                total += drops[k]
            rest = total * chance[place]
            for k in range(4):
                if drops[k] > 0 and rest >= 0:
                    receiver[place] = place + STEPS[2 * k][0] * columns + STEPS[2 * k][1]
                rest -= drops[k] * CHANCES


@njit(cache=True, nogil=True)
def _accumulate(reached: NDArray[np.int32], receiver: NDArray[np.int32], upstream: NDArray[np.int64]) -> None:
    """Pass every pixel's water on, upstream first."""
    for i in range(reached.size - 1, -1, -1):
        place = reached[i]
        if receiver[place] >= 0:
            upstream[receiver[place]] += upstream[place]
