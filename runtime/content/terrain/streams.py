"""Streams: the drainage of the coarse level, whose cells have 1,440 m. Which cell each drains to, and its catchment.

In `regions` a river's size differs a little on the two sides of a region's edge. Streams are exact functions of the
place: a cell's direction and catchment do not depend on the region that it is computed in. Two bounds make that
possible.

- A basin wider than EXTENT cells is not filled; its water ends at its lowest cell. So every depression that is filled
  lies within EXTENT of all its cells, and a cell's receiver depends on 2 EXTENT cells around it.
- A cell's catchment is the land whose water reaches it within REACH steps. A river that is REACH cells long has a
  catchment of at least REACH cells, however much land lies above. So rivers of any minimum up to REACH cells end only
  in the sea or at the lowest cell of a basin.

Streams are computed on regions of REGION cells aligned to the world, with a margin of MARGIN cells on every side.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.content.terrain.drainage import CHANCES, border, drain
from runtime.content.terrain.fields import hash_grid, key
from runtime.content.terrain.ground import Ground
from runtime.content.terrain.lakes import bottoms
from runtime.lru import LRU

LEVEL = 4  # the level of detail whose pixels are the cells
REGION = 512  # cells
EXTENT, REACH = 63, 255
MARGIN = REACH + 2 * EXTENT + 3
SIDES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # row and column steps of a direction: north, east, south, west
STREAM = 10_300  # of hashes; climate uses the streams below
ENDS = -1  # the direction of cells without one: the sea, and the lowest cell of a basin that is not filled


class Streams(NamedTuple):
    """The streams of a window of cells (H, W).

    `direction`: int8, index into SIDES of the neighbour that a cell drains to, or ENDS.
    `catchment`: int32, how many cells' water reaches a cell within REACH steps, itself included; 0 in the sea.
    """

    direction: NDArray[np.int8]
    catchment: NDArray[np.int32]


class CoarseStreams:
    """The streams of worlds, any window of them, through an LRU cache of regions. Thread-safe."""

    def __init__(self, limit_bytes: int = 64 << 20) -> None:
        self._cache = LRU[Hashable, Streams](limit_bytes, lambda _, streams: sum(part.nbytes for part in streams))

    def window(self, ground: Ground, row: int, column: int, height: int, width: int) -> Streams:
        """The streams of (height, width) cells, from cell (row, column) of the ground's world on, any integers."""
        bands = []
        for i in range(row // REGION, (row + height - 1) // REGION + 1):
            rows = slice(max(row - i * REGION, 0), row + height - i * REGION)
            parts = []
            for j in range(column // REGION, (column + width - 1) // REGION + 1):
                columns = slice(max(column - j * REGION, 0), column + width - j * REGION)
                region = self._region(ground, i, j)
                parts.append([part[rows, columns] for part in region])
            bands.append([np.concatenate(part, axis=1) for part in zip(*parts, strict=True)])
        return Streams(*(np.concatenate(part) for part in zip(*bands, strict=True)))

    def _region(self, ground: Ground, i: int, j: int) -> Streams:
        def compute() -> Streams:
            side = REGION + 2 * MARGIN
            row, column = i * REGION - MARGIN, j * REGION - MARGIN
            found = streams(ground(LEVEL, row, column, side, side), row, column)
            inner = slice(MARGIN, MARGIN + REGION), slice(MARGIN, MARGIN + REGION)
            return Streams(found.direction[inner].copy(), found.catchment[inner].copy())

        return self._cache.get_or_make((ground.key, i, j), compute)


def streams(heights: NDArray[np.int32], row: int, column: int) -> Streams:
    """The streams of heights (H, W) in 1/64 m, from cell (row, column) of the world on. Heights below 0 are sea.

    They are exact for all but the MARGIN cells at the border.
    """
    sea = heights < 0
    outlets = border(*heights.shape) | sea | bottoms(heights, sea, EXTENT, diagonals=False)
    rows, columns = (
        np.arange(n, dtype=np.int64) + first for n, first in zip(heights.shape, (row, column), strict=True)
    )
    chance = (hash_grid(key(0, STREAM), rows, columns) % np.uint64(CHANCES)).astype(np.int64)
    drainage = drain(np.maximum(heights, 0), outlets, chance=chance)
    step = drainage.receiver - np.arange(heights.size, dtype=np.int32).reshape(heights.shape)
    direction = np.full(heights.shape, ENDS, np.int8)
    for k, (down, right) in enumerate(SIDES):
        direction[(drainage.receiver >= 0) & (step == down * heights.shape[1] + right)] = k
    beyond = _beyond(drainage.receiver.ravel(), drainage.accumulation.ravel()).reshape(heights.shape)
    catchment = drainage.accumulation - beyond
    return Streams(direction, np.where(sea, 0, catchment).astype(np.int32))


def _beyond(receiver: NDArray[np.int32], upstream: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the pixels upstream of each are more than REACH steps away."""
    nowhere = receiver.size
    jump = np.append(np.where(receiver < 0, nowhere, receiver), nowhere)
    there, steps = np.arange(nowhere + 1), REACH + 1
    while steps:
        if steps & 1:
            there = jump[there]
        jump, steps = jump[jump], steps >> 1
    counts = np.zeros(nowhere + 1, np.int64)
    np.add.at(counts, there[:nowhere], upstream)
    return counts[:nowhere]
