"""Water of an endless world: lakes and drainage, computed on regions that are aligned to the world.

How much land drains through a pixel depends on land without limit, so it is not computed on the window asked for but on
regions of REGION pixels, with a margin of MARGIN pixels on every side. Windows cut from the same regions agree byte for
byte. The margin costs (REGION + 2 MARGIN)^2 / REGION^2, 2.25 times the heights. With it, lakes up to MARGIN pixels
across are the same on both sides of a region's edge, and drainage includes 11 km of the land upstream.

What lies further upstream comes from a coarser level. The same drainage is computed on pixels 8 times as coarse. Where
one of its rivers enters a region, its drainage area is added at the lowest pixel on that stretch of the border. So a
river crosses from region to region with about the same size, but not exactly, since coarse and fine land differ a
little.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.content.terrain.drainage import STEPS, border, drain
from runtime.content.terrain.lakes import lakes
from runtime.lru import LRU

REGION, MARGIN = 512, 128  # pixels of the level
LAKE_EXTENT = MARGIN - 1  # pixels of level 0, halved at each coarser level: 11 km at 90 m a pixel
LAKE_DEPTH, LAKE_PIXELS = 64, 4  # the least: 1 m in 1/64 m, and pixels
COARSER = 3  # levels between a region and the drainage its rivers come from
RIVER = 4  # coarse pixels that a river drains at least; at level 0 2.1 km^2

_BLOCK = 1 << COARSER
_SIDE = REGION + 2 * MARGIN
_FRAME = 4  # coarse pixels around a window that rivers are followed in
_AROUND = MARGIN // _BLOCK + _FRAME


def warm_up() -> None:
    """Compile the numba functions, or load them from numba's cache."""
    ground = np.zeros((8, 8), np.int32)
    _water(ground, LAKE_EXTENT, np.zeros(ground.shape, np.int64))


class Heights(Protocol):
    """The ground of a world at a level: int32 (height, width) in 1/64 m, from lod pixel (row, column) on, any integers.

    A pixel of level lod covers 2^lod x 2^lod pixels of the world, from (row 2^lod, column 2^lod) on.
    """

    def __call__(self, lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]: ...


class Water(NamedTuple):
    """The water of a window (H, W).

    `surface`: int32, 1/64 m, the surface of the lake or sea over a pixel, and the ground elsewhere.
    `accumulation`: int64, the number of pixels that drain through a pixel, itself included; 0 in the sea.
    `direction`: int8, index into drainage.STEPS of the neighbour that a pixel drains to; -1 in the sea.
    """

    surface: NDArray[np.int32]
    accumulation: NDArray[np.int64]
    direction: NDArray[np.int8]


class Regions:
    """An LRU cache of computed regions, 3.4 MB each. Thread-safe."""

    def __init__(self, limit_bytes: int = 256 << 20) -> None:
        self._cache = LRU[Hashable, Water](limit_bytes, lambda _, water: sum(part.nbytes for part in water))

    def water(
        self,
        world: Hashable,
        heights: Heights,
        lod: int,
        row: int,
        column: int,
        height: int,
        width: int,
        coarsest_lod: int | None = None,
    ) -> Water:
        """The water of a window (height, width) of a level, from lod pixel (row, column) on, any integers.

        Args:
            world: all that `heights` depends on: the model's SHA-256, seed, style, control.
            heights: the world's ground.
            lod: the level.
            row: the window's first row.
            column: the window's first column.
            height: of the window.
            width: of the window.
            coarsest_lod: the highest level of `heights`; None for no limit. Rivers enter regions from outside where
                lod + COARSER is no higher.
        """
        seeded = coarsest_lod is None or lod + COARSER <= coarsest_lod

        def region(i: int, j: int) -> Water:
            return self._region(world, heights, lod, i, j, seeded)

        return _assemble(region, row, column, height, width)

    def _region(self, world: Hashable, heights: Heights, lod: int, i: int, j: int, seeded: bool) -> Water:
        def compute() -> Water:
            ground = _ground(heights, lod, i, j)
            inflow = None
            if seeded:
                side = REGION // _BLOCK  # of a region in coarse pixels; one coarse region holds all of it
                rivers = self._rivers(world, heights, lod + COARSER, i // _BLOCK, j // _BLOCK)
                inflow = _inflow(_cut(rivers, i % _BLOCK * side, j % _BLOCK * side, *[side + 2 * _AROUND] * 2), ground)
            return _cut(_water(ground, LAKE_EXTENT >> lod, inflow), MARGIN, MARGIN, REGION, REGION)

        return self._cache.get_or_make((world, lod, i, j, seeded), compute)

    def _rivers(self, world: Hashable, heights: Heights, lod: int, i: int, j: int) -> Water:
        """The water of a coarse region with _AROUND pixels of its margin. No rivers enter it from a coarser level."""

        def compute() -> Water:
            water = _water(_ground(heights, lod, i, j), LAKE_EXTENT >> lod, None)
            return _cut(water, MARGIN - _AROUND, MARGIN - _AROUND, *[REGION + 2 * _AROUND] * 2)

        return self._cache.get_or_make((world, lod, i, j, "rivers"), compute)


def _ground(heights: Heights, lod: int, i: int, j: int) -> NDArray[np.int32]:
    """The ground of a region with its margin."""
    return heights(lod, i * REGION - MARGIN, j * REGION - MARGIN, _SIDE, _SIDE)


def _cut(water: Water, top: int, left: int, height: int, width: int) -> Water:
    """A part of a water, copied, so that the whole can be freed."""
    part = slice(top, top + height), slice(left, left + width)
    return Water(water.surface[part].copy(), water.accumulation[part].copy(), water.direction[part].copy())


def _assemble(region: Callable[[int, int], Water], row: int, column: int, height: int, width: int) -> Water:
    """The water of a window, cut from the regions that it touches."""
    rows = []
    for i in range(row // REGION, (row + height - 1) // REGION + 1):
        parts = []
        for j in range(column // REGION, (column + width - 1) // REGION + 1):
            top, left = max(row - i * REGION, 0), max(column - j * REGION, 0)
            bottom, right = min(row + height - i * REGION, REGION), min(column + width - j * REGION, REGION)
            parts.append(_cut(region(i, j), top, left, bottom - top, right - left))
        rows.append([np.concatenate(part, axis=1) for part in zip(*parts, strict=True)])
    return Water(*(np.concatenate(part) for part in zip(*rows, strict=True)))


def _water(ground: NDArray[np.int32], extent: int, inflow: NDArray[np.int64] | None) -> Water:
    """The water of a region with its margin. Water leaves into the sea, and over the border where `inflow` is -1."""
    sea = ground < 0
    surface = np.where(sea, 0, lakes(ground, sea, extent, LAKE_DEPTH, LAKE_PIXELS)).astype(np.int32)
    edge = border(*ground.shape)
    if inflow is not None:
        edge &= inflow < 0
    if not edge.any() and not sea.any():
        edge = border(*ground.shape)
    drainage = drain(np.maximum(ground, 0), edge | sea, None if inflow is None else np.maximum(inflow, 0), True)
    return Water(surface, np.where(sea, 0, drainage.accumulation), _directions(drainage.receiver))


def _directions(receiver: NDArray[np.int32]) -> NDArray[np.int8]:
    """Receivers (H, W), row-major indices, as indices into STEPS."""
    rows, columns = receiver.shape
    row, column = receiver // columns - np.arange(rows)[:, None], receiver % columns - np.arange(columns)
    table = np.full((3, 3), -1, np.int8)
    for direction, (i, j) in enumerate(STEPS):
        table[i + 1, j + 1] = direction
    inside = receiver >= 0
    return np.where(inside, table[np.where(inside, row + 1, 1), np.where(inside, column + 1, 1)], -1).astype(np.int8)


def _inflow(rivers: Water, ground: NDArray[np.int32]) -> NDArray[np.int64]:
    """The drainage area that coarse rivers bring into a region, in its pixels: int64 (H, W); -1 where water may leave.

    `rivers` covers the region in coarse pixels, and _FRAME more on every side. The border around an inlet is closed, so
    that the river has to leave elsewhere. Where a river leaves only to come back, the border is closed too, and the
    river stays inside.
    """
    inflow = np.full(ground.shape, -1, np.int64)
    end: int = rivers.direction.shape[0] - _FRAME

    def inside(i: int, j: int) -> bool:
        return _FRAME <= i < end and _FRAME <= j < end

    def stretch(i: int, j: int) -> tuple[slice, slice]:
        """The fine pixels of a coarse pixel, and half a coarse pixel more on every side."""
        top, left = (i - _FRAME) * _BLOCK - _BLOCK // 2, (j - _FRAME) * _BLOCK - _BLOCK // 2
        return slice(max(top, 0), top + 2 * _BLOCK), slice(max(left, 0), left + 2 * _BLOCK)

    edge = border(*ground.shape)
    comes_back: dict[tuple[int, int], int] = {}  # by the last pixel outside
    entering: list[tuple[int, int, int, int]] = []
    big = (rivers.accumulation >= RIVER) & (rivers.direction >= 0)
    big[_FRAME + 1 : end - 1, _FRAME + 1 : end - 1] = False  # rivers there do not cross the border
    for i, j in np.argwhere(big).tolist():
        down, right = STEPS[rivers.direction[i, j]]
        if inside(i, j) and not inside(i + down, j + right):
            last = _way_back(rivers, i + down, j + right, inside)
            if last is not None:
                comes_back[last] = comes_back.get(last, 0) + int(rivers.accumulation[i, j])
                _close(inflow, edge, stretch(i, j))
        elif not inside(i, j) and inside(i + down, j + right):
            entering.append((i, j, i + down, j + right))
    for i, j, to_i, to_j in entering:
        area = (int(rivers.accumulation[i, j]) - comes_back.get((i, j), 0)) * _BLOCK**2
        part = stretch(to_i, to_j)
        inlet = np.where(edge[part], ground[part], np.iinfo(np.int32).max)
        lowest = np.unravel_index(inlet.argmin(), inlet.shape)
        if area > 0 and inlet[lowest] >= 0:
            _close(inflow, edge, part)
            inflow[part][lowest] += area
    return inflow


def _close(inflow: NDArray[np.int64], edge: NDArray[np.bool_], part: tuple[slice, slice]) -> None:
    """Let no water leave over the border in this part."""
    inflow[part][edge[part] & (inflow[part] < 0)] = 0


def _way_back(rivers: Water, i: int, j: int, inside: Callable[[int, int], bool]) -> tuple[int, int] | None:
    """The last pixel outside before a river comes back, or None if it does not within `rivers`."""
    side = rivers.direction.shape[0]
    while True:  # rivers descend, so it ends
        if not (0 <= i < side and 0 <= j < side) or rivers.direction[i, j] < 0:
            return None
        down, right = STEPS[rivers.direction[i, j]]
        if inside(i + down, j + right):
            return i, j
        i, j = i + down, j + right
