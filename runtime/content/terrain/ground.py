"""The ground of a world, any window of it at any level of detail, in whole 1/64 m: what all layers are made from."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import noise
import numpy as np
from numpy.typing import NDArray

from runtime.content.terrain.measures import PIXELS_PER_CELL
from runtime.engine import Engine
from runtime.registry import ModelFile

T = TypeVar("T")
STEPS_A_METRE = 64
MARGIN_CELLS = 8
SHEET_CELLS = 64  # a side of the control maps that are kept: 16 chunks of 256 pixels are made from one
SHEET_MARGIN = 16  # cells more on every side: one pixel of the coarsest level, and room for MARGIN_CELLS and an edge
SHEETS_KEPT = 256  # of 74 KB
TILE = 512  # pixels; a larger window is made of tiles, whose planes stay in a processor's caches
# Perlin noise of the `noise` package, as control map. It repeats every 256 lattice cells, so every 16,384 of ours.
NOISE_CELLS_A_LATTICE = 64
NOISE_PERIOD_CELLS = 256 * NOISE_CELLS_A_LATTICE
NOISE_OCTAVES = 8
NOISE_DEVIATION = 0.14  # of pnoise2 at eight octaves, measured


class Turn(Protocol):
    """Calls a function, which calls the engine, in the engine's thread."""

    def __call__(self, function: Callable[[], T]) -> T: ...


class Ground(Protocol):
    """One world."""

    @property
    def key(self) -> Hashable:
        """What its ground depends on beside the place."""

    def __call__(self, lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
        """Heights (height, width) in 1/64 m from pixel (row, column) of that level on, any integers."""


def tiled(square: Tile, height: int, width: int) -> NDArray[np.int32]:
    """A window made of squares, which meet exactly, so that memory stays bounded."""
    count = -(-max(height, width) // TILE)
    side = -(-max(height, width) // count)
    whole = np.empty((height, width), np.int32)
    for top in range(0, height, side):
        for left in range(0, width, side):
            part = whole[top : top + side, left : left + side]
            # A part that is cut short at the edge is a smaller square, if it is short both ways.
            part[:] = square(top, left, max(part.shape))[: part.shape[0], : part.shape[1]]
    return whole


class Tile(Protocol):
    """Heights (side, side) of the square at (top, left) of a window."""

    def __call__(self, top: int, left: int, side: int) -> NDArray[np.int32]: ...


class ControlMap(Protocol):
    """The coarse heights that a land's detail is drawn on. Calls run in the engine's thread."""

    def __call__(self, row: int, column: int, cells: int) -> NDArray[np.float64]:
        """(cells, cells) metres from cell (row, column) on, any integers."""


class LearnedControl:
    """The coarse level's maps. Sheets of them are kept, for neighbouring chunks to share; the least recently used is
    dropped. Safe between threads.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, NDArray[np.float64]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, engine: Engine, model: ModelFile, seed: int, style: tuple[int, ...]) -> ControlMap:
        """The map of one world."""

        def draw(row: int, column: int, cells: int) -> NDArray[np.float64]:
            seeds, rows, columns = (np.array([value], np.int64) for value in (seed, row, column))
            styles = np.array([style], np.int64)
            drawn: NDArray[np.float64] = engine.run(model, "control", seeds, rows, columns, cells, styles)[0]
            return drawn

        def cut(row: int, column: int, cells: int) -> NDArray[np.float64]:
            # Of the sheet that the window's middle lies in.
            place = _sheet_start(row, cells), _sheet_start(column, cells)
            top, left = row - place[0], column - place[1]
            side = SHEET_CELLS + 2 * SHEET_MARGIN
            if min(top, left) < 0 or max(top, left) + cells > side:
                return draw(row, column, cells)
            sheet = self._sheet((model.sha256, seed, style, *place), lambda: draw(*place, side))
            return sheet[top : top + cells, left : left + cells]

        return cut

    def _sheet(self, key: Hashable, draw: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
        with self._lock:
            sheet = self._kept.get(key)
        if sheet is None:
            sheet = draw()
        with self._lock:
            self._kept[key] = sheet
            self._kept.move_to_end(key)
            while len(self._kept) > SHEETS_KEPT:
                self._kept.popitem(last=False)
        return sheet


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
    """A map that somebody drew, its first value cell (0, 0); mirrored beyond its edges."""

    def cut(row: int, column: int, cells: int) -> NDArray[np.float64]:
        span = np.arange(cells)
        axes = (mirrored(span + first, n) for first, n in zip((row, column), control.shape, strict=True))
        return control[np.ix_(*axes)].astype(np.float64)

    return cut


def at_once(function: Callable[[], T]) -> T:
    """What a function gives, where the engine's thread is the one that calls."""
    return function()


@dataclass(frozen=True)
class Land:
    """The land of a seed on a control map. `turn` calls a function in the engine's thread; each tile is a turn."""

    engine: Engine
    model: ModelFile
    seed: int
    control: ControlMap
    key: Hashable
    """What its ground depends on beside the place."""
    turn: Turn = at_once
    grain: int | None = None
    """How fine-wrought it is, in 1/127; by default it changes from place to place."""

    def __call__(self, lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
        """Heights (height, width) in 1/64 m from pixel (row, column) of that level on, any integers."""
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
    """Indices of an axis of `count` that is mirrored at both ends for ever: 2 1 0 | 0 1 2 | 2 1 0."""
    index = index % (2 * count)
    return np.where(index < count, index, 2 * count - 1 - index)


def classic_noise(seed: int, row: int, column: int, cells: int) -> NDArray[np.float64]:
    """fBm of the `noise` package over control cells, standard deviation about one; (cells, cells).

    Repeats every 16,384 cells (23,593 km). The package computes in float32 with the compiler's choice of
    instructions, so unlike the rest it is not promised to be the same on every machine.
    """
    # The seed shifts the origin. Not by the package's `base`, with which it reads past the end of its table.
    shift = (seed + 1) * 0x9E3779B97F4A7C15 % 2**64
    row, column = row + (shift >> 32), column + (shift & 0xFFFFFFFF)
    rows, columns = (
        [(first + i) % NOISE_PERIOD_CELLS / NOISE_CELLS_A_LATTICE for i in range(cells)] for first in (row, column)
    )
    values = [[noise.pnoise2(c, r, octaves=NOISE_OCTAVES) for c in columns] for r in rows]
    return np.array(values) / NOISE_DEVIATION
