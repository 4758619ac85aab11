"""Drainage of a heightmap: depressions filled to their outlets, flow directions and drainage areas.

Pixels are visited from low to high, equal heights in row-major order, so the result depends only on the order of the
heights and is the same on every machine. The flood is priority-flood with a queue inside depressions (Barnes,
Lehman and Mulla 2014, "Priority-flood: an optimal depression-filling and watershed-labeling algorithm", algorithm 2).
Outside depressions it needs no heap: the pixels that the flood reaches there are never lower than the pixel it comes
from, so one pass over the sorted pixels visits them in order.
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
    """The result of `drain`, all (H, W). Pixels are named by their row-major index.

    `filled`: the heights, every depression raised to its outlet, in the units and dtype of the heights.
    `accumulation`: int64, the number of pixels whose water passes a pixel, itself included, plus the inflow upstream.
    `receiver`: int32, the pixel that a pixel drains to; -1 where water leaves the map.
    `outlet`: int32, the pixel over which a depression's water leaves it; outside depressions the pixel itself:
    filled = heights[outlet].
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
    """Fill and drain one heightmap.

    By default a pixel drains to the neighbour (of eight) from which the flood reached it.

    Args:
        heights: (H, W), integers, or floats without NaN.
        outlets: bool (H, W), where water leaves the map; by default the whole border.
        inflow: int64 (H, W), the drainage area in pixels that enters from outside.
        steepest: a pixel with lower neighbours drains along the steepest descent of the filled surface (drop over
            distance; the first of STEPS where equal), which is the usual D8. On open slopes the flood would take the
            lowest neighbour, a diagonal, too often. A depression then drains to its bottom, and from there along the
            lowest ground to the outlet; the flood alone draws straight lines.
        chance: int64 (H, W) in 0..CHANCES-1. Pixels then have four neighbours, and of the lower ones one is taken at
            random, with weights of the squared drop (after Fairfield and Leymarie 1991, "Drainage networks from grid
            digital elevation models", rho4). So streams follow a slope whichever way it faces, and join; the steepest
            of four directions would make them parallel.

    Raises:
        ValueError: no outlet, or too many pixels for an int32 index.
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
    """The outlet and receiver of every pixel, and the pixels in an order in which each comes after its receiver.

    Within a depression the flood starts at the outlet and takes pixels in the order it reached them, or, with
    `lowest_first`, the lowest first.
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
    """Set receivers to the steepest descent, where there is one. No cycles: they are lower on the filled surface."""
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
    """Set receivers to one of the lower of four neighbours, where there is one."""
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
    """Add every pixel's water to its receiver's, upstream pixels first."""
    for i in range(reached.size - 1, -1, -1):
        place = reached[i]
        if receiver[place] >= 0:
            upstream[receiver[place]] += upstream[place]
