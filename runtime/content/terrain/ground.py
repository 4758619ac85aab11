"""The ground of a world: heights of any window at any level of detail, in 1/64 m. All layers are made from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import noise
import numpy as np
from numpy.typing import NDArray

from runtime.content.terrain.measures import PIXELS_PER_CELL
from runtime.engine import Engine
from runtime.lru import LRU
from runtime.registry import ModelFile

T = TypeVar("T")
STEPS_A_METRE = 64
MARGIN_CELLS = 8
SHEET_CELLS = 64  # a side of the control maps that are cached: 16 chunks of 256 pixels are made from one
SHEET_MARGIN = 16  # cells more on every side: one pixel of the coarsest level, and room for MARGIN_CELLS and an edge
SHEETS_BYTES = 18 << 20  # 256 sheets
TILE = 512  # pixels a side; larger windows are made in tiles, whose activations fit in a processor's caches
# The control map of the `noise` package's Perlin noise. It repeats every 256 lattice cells, 16,384 control cells.
NOISE_CELLS_A_LATTICE = 64
NOISE_PERIOD_CELLS = 256 * NOISE_CELLS_A_LATTICE
NOISE_OCTAVES = 8
NOISE_DEVIATION = 0.14  # of pnoise2 at eight octaves, measured


class Turn(Protocol):
    """Calls a function in the engine's thread, since the function calls the engine."""

    def __call__(self, function: Callable[[], T]) -> T: ...


class Ground(Protocol):
    """The heights of one world."""

    @property
    def key(self) -> Hashable:
        """All that its ground depends on beside the place."""

    def __call__(self, lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
        """Heights (height, width) in 1/64 m, from pixel (row, column) of level `lod` on, any integers."""


def tiled(square: Tile, height: int, width: int) -> NDArray[np.int32]:
    """Heights (height, width), made in squares of at most TILE pixels a side, so that memory stays bounded."""
    count = -(-max(height, width) // TILE)
    side = -(-max(height, width) // count)
    whole = np.empty((height, width), np.int32)
    for top in range(0, height, side):
        for left in range(0, width, side):
            part = whole[top : top + side, left : left + side]
            # At the bottom right corner, where a part is shorter both ways, the square is smaller too.
            part[:] = square(top, left, max(part.shape))[: part.shape[0], : part.shape[1]]
    return whole


class Tile(Protocol):
    """Heights (side, side) of the square at (top, left) of a window."""

    def __call__(self, top: int, left: int, side: int) -> NDArray[np.int32]: ...


class ControlMap(Protocol):
    """The coarse heights under a land's detail. Called in the engine's thread."""

    def __call__(self, row: int, column: int, cells: int) -> NDArray[np.float64]:
        """Metres (cells, cells), from cell (row, column) on, any integers."""


class LearnedControl:
    """The coarse level's maps, cut from sheets that neighbouring chunks share. An LRU cache holds the sheets.
    Thread-safe.
    """

    def __init__(self, limit_bytes: int = SHEETS_BYTES) -> None:
        self._sheets = LRU[Hashable, NDArray[np.float64]](limit_bytes, lambda _, sheet: sheet.nbytes)

    def of(self, engine: Engine, model: ModelFile, seed: int, style: tuple[int, ...]) -> ControlMap:
        """The map of one world."""

        def draw(row: int, column: int, cells: int) -> NDArray[np.float64]:
            seeds, rows, columns = (np.array([value], np.int64) for value in (seed, row, column))
            styles = np.array([style], np.int64)
            drawn: NDArray[np.float64] = engine.run(model, "control", seeds, rows, columns, cells, styles)[0]
            return drawn

        def cut(row: int, column: int, cells: int) -> NDArray[np.float64]:
            # From the sheet that holds the window's middle.
            place = _sheet_start(row, cells), _sheet_start(column, cells)
            top, left = row - place[0], column - place[1]
            side = SHEET_CELLS + 2 * SHEET_MARGIN
            if min(top, left) < 0 or max(top, left) + cells > side:
                return draw(row, column, cells)
            sheet = self._sheets.get_or_make((model.sha256, seed, style, *place), lambda: draw(*place, side))
            return sheet[top : top + cells, left : left + cells]

        return cut


def _sheet_start(first: int, cells: int) -> int:
    return (first + cells // 2) // SHEET_CELLS * SHEET_CELLS - SHEET_MARGIN


def classic_control(engine: Engine, model: ModelFile, seed: int) -> ControlMap:
    """The noise package's map of a world."""

    def cut(row: int, column: int, cells: int) -> NDArray[np.float64]:
        noises = classic_noise(seed, row, column, cells)[None]
        heights: NDArray[np.float64] = engine.run(model, "control_heights", noises)[0]
        return heights

    return cut


def drawn_control(control: NDArray[np.float32]) -> ControlMap:
    """The map of a sketch: its first value is cell (0, 0), and it is mirrored beyond its edges."""

    def cut(row: int, column: int, cells: int) -> NDArray[np.float64]:
        span = np.arange(cells)
        axes = (mirrored(span + first, n) for first, n in zip((row, column), control.shape, strict=True))
        return control[np.ix_(*axes)].astype(np.float64)

    return cut


def at_once(function: Callable[[], T]) -> T:
    """Call a function directly. A Turn for callers that are in the engine's thread."""
    return function()


@dataclass(frozen=True)
class Land:
    """The ground that a model makes on a control map. Each tile is one call of `turn`."""

    engine: Engine
    model: ModelFile
    seed: int
    control: ControlMap
    key: Hashable
    """All that its ground depends on beside the place."""
    turn: Turn = at_once
    grain: int | None = None
    """How rough the land is, in 1/127; by default it changes from place to place."""

    def __call__(self, lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
        """As Ground.__call__."""
        seed = np.array([self.seed], np.int64)
        grain = () if self.grain is None else (np.array([self.grain], np.int64),)

        def square(top: int, left: int, side: int) -> NDArray[np.int32]:
            x, y = (column + left) << lod, (row + top) << lod
            xs, ys = np.array([x], np.int64), np.array([y], np.int64)
            cells = int(self.engine.run(self.model, "cells", xs, ys, side, lod))
            control = self.control(y // PIXELS_PER_CELL - MARGIN_CELLS, x // PIXELS_PER_CELL - MARGIN_CELLS, cells)
            arguments = (seed, xs, ys, side, lod, control[None], *grain)
            made: NDArray[np.int32] = self.engine.run(self.model, "window", *arguments)[0]
            return made

        return tiled(lambda top, left, side: self.turn(functools.partial(square, top, left, side)), height, width)


def mirrored(index: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices into an axis of length `count` that is mirrored at both ends, again and again: 2 1 0 | 0 1 2 | 2 1 0."""
    index = index % (2 * count)
    return np.where(index < count, index, 2 * count - 1 - index)


def classic_noise(seed: int, row: int, column: int, cells: int) -> NDArray[np.float64]:
    """fBm of the `noise` package over control cells, standard deviation about one; (cells, cells).

    It repeats every 16,384 cells (23,593 km). The package computes in float32 with instructions that its compiler
    chose, so this noise, unlike all else, may differ between machines.
    """
    # The seed shifts the origin. The package's own `base` makes it read past the end of its table.
    shift = (seed + 1) * 0x9E3779B97F4A7C15 % 2**64
    row, column = row + (shift >> 32), column + (shift & 0xFFFFFFFF)
    rows, columns = (
        [(first + i) % NOISE_PERIOD_CELLS / NOISE_CELLS_A_LATTICE for i in range(cells)] for first in (row, column)
    )
    values = [[noise.pnoise2(c, r, octaves=NOISE_OCTAVES) for c in columns] for r in rows]
    return np.array(values) / NOISE_DEVIATION
