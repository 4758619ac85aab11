"""The ground of a world, any window of it at any level of detail, in whole 1/64 m: what all layers are made from."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol

import noise
import numpy as np
from numpy.typing import NDArray

from runtime.engine import Engine
from runtime.registry import ModelFile

STEPS_A_METRE = 64
PIXELS_PER_CELL, MARGIN_CELLS = 16, 8
SHEET_CELLS = 64  # a side of the control maps that are kept: 16 chunks of 256 pixels are made from one
SHEETS_KEPT = 256  # of 51 KB
TILE = 1024  # pixels; a larger window is made of tiles, at about 0.3 GB of memory each
# Perlin noise of the `noise` package, as control map. It repeats every 256 lattice cells, so every 16,384 of ours.
NOISE_CELLS_A_LATTICE = 64
NOISE_PERIOD_CELLS = 256 * NOISE_CELLS_A_LATTICE
NOISE_OCTAVES = 8
NOISE_DEVIATION = 0.14  # of pnoise2 at eight octaves, measured


class Ground(Protocol):
    """One world. Calls run in the engine's thread."""

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


class ControlMaps:
    """Sheets of learned control map, kept so that neighbouring chunks share one; the least recently used is dropped.

    A sheet has SHEET_CELLS cells a side and the margin that the detail level needs around them. Safe between threads.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, NDArray[np.float64]] = OrderedDict()
        self._lock = threading.Lock()

    def cut(
        self, engine: Engine, model: ModelFile, seed: int, style: tuple[int, ...], row: int, column: int, cells: int
    ) -> NDArray[np.float64] | None:
        """Control map (1, cells, cells) in metres from MARGIN_CELLS before cell (row, column) on; None where it would
        reach beyond one sheet. In the engine's thread.
        """
        top, left = row % SHEET_CELLS, column % SHEET_CELLS
        side = SHEET_CELLS + 2 * MARGIN_CELLS
        if max(top, left) + cells > side:
            return None
        place = row - top, column - left
        key = (model.sha256, seed, style, *place)
        with self._lock:
            sheet = self._kept.get(key)
        if sheet is None:
            rows, columns = (np.array([first - MARGIN_CELLS], np.int64) for first in place)
            seeds, styles = np.array([seed], np.int64), np.array([style], np.int64)
            sheet = engine.run(model, "control", seeds, rows, columns, side, styles)
        with self._lock:
            self._kept[key] = sheet
            self._kept.move_to_end(key)
            while len(self._kept) > SHEETS_KEPT:
                self._kept.popitem(last=False)
        return sheet[:, top : top + cells, left : left + cells]


class World:
    """The endless world of a seed: a style for all of it, or styles that change from place to place."""

    def __init__(
        self,
        engine: Engine,
        controls: ControlMaps,
        model: ModelFile,
        seed: int,
        style: tuple[int, ...],
        *,
        classic: bool,
    ) -> None:
        self._engine, self._controls, self._model = engine, controls, model
        self._seed, self._style, self._classic = seed, style, classic

    @property
    def key(self) -> Hashable:
        """What its ground depends on beside the place."""
        return (self._model.sha256, self._seed, self._style, self._classic)

    def __call__(self, lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
        """Heights (height, width) in 1/64 m from pixel (row, column) of that level on, any integers."""
        seed, style = np.array([self._seed], np.int64), np.array([self._style], np.int64)

        def square(top: int, left: int, side: int) -> NDArray[np.int32]:
            x, y = (column + left) << lod, (row + top) << lod
            xs, ys = np.array([x], np.int64), np.array([y], np.int64)
            cells = int(self._engine.run(self._model, "cells", xs, ys, side, lod))
            control: NDArray[np.float64] | None
            if self._classic:
                noises = classic_noise(self._seed, x, y, cells)[None]
                control = self._engine.run(self._model, "control_heights", noises)
            else:
                place = y // PIXELS_PER_CELL, x // PIXELS_PER_CELL
                control = self._controls.cut(self._engine, self._model, self._seed, self._style, *place, cells)
            if control is None:
                made: NDArray[np.int32] = self._engine.run(self._model, "forward", seed, xs, ys, side, lod, style)[0]
            else:
                made = self._engine.run(self._model, "window", seed, xs, ys, side, lod, control)[0]
            return made

        return tiled(square, height, width)


class Drawn:
    """The land of a control map that somebody drew: (H, W) metres, a value for 16 x 16 pixels; mirrored beyond it."""

    def __init__(self, engine: Engine, model: ModelFile, seed: int, control: NDArray[np.float32]) -> None:
        self._engine, self._model, self._seed = engine, model, seed
        self._control = control
        self._digest = hashlib.sha256(np.ascontiguousarray(control, "<f4").tobytes()).hexdigest()

    @property
    def key(self) -> Hashable:
        """What its ground depends on beside the place."""
        return (self._model.sha256, self._seed, self._control.shape, self._digest)

    def __call__(self, lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
        """Heights (height, width) in 1/64 m from pixel (row, column) of that level on, (0, 0) its north-west corner."""
        seed = np.array([self._seed], np.int64)

        def square(top: int, left: int, side: int) -> NDArray[np.int32]:
            x, y = (column + left) << lod, (row + top) << lod
            xs, ys = np.array([x], np.int64), np.array([y], np.int64)
            cells = int(self._engine.run(self._model, "cells", xs, ys, side, lod))
            span = np.arange(cells) - MARGIN_CELLS
            rows, columns = (
                mirrored(span + first // PIXELS_PER_CELL, n)
                for first, n in zip((y, x), self._control.shape, strict=True)
            )
            control = self._control[np.ix_(rows, columns)].astype(np.float64)[None]
            made: NDArray[np.int32] = self._engine.run(self._model, "window", seed, xs, ys, side, lod, control)[0]
            return made

        return tiled(square, height, width)


def mirrored(index: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices of an axis of `count` that is mirrored at both ends for ever: 2 1 0 | 0 1 2 | 2 1 0."""
    index = index % (2 * count)
    return np.where(index < count, index, 2 * count - 1 - index)


def classic_noise(seed: int, x: int, y: int, cells: int) -> NDArray[np.float64]:
    """fBm of the `noise` package over the control cells of a window, standard deviation about one; (cells, cells).

    Repeats every 16,384 cells (23,593 km). The package computes in float32 with the compiler's choice of
    instructions, so unlike the rest it is not promised to be the same on every machine.
    """
    row, column = y // PIXELS_PER_CELL - MARGIN_CELLS, x // PIXELS_PER_CELL - MARGIN_CELLS
    # The seed shifts the origin. Not by the package's `base`, with which it reads past the end of its table.
    shift = (seed + 1) * 0x9E3779B97F4A7C15 % 2**64
    row, column = row + (shift >> 32), column + (shift & 0xFFFFFFFF)
    rows, columns = (
        [(first + i) % NOISE_PERIOD_CELLS / NOISE_CELLS_A_LATTICE for i in range(cells)] for first in (row, column)
    )
    values = [[noise.pnoise2(c, r, octaves=NOISE_OCTAVES) for c in columns] for r in rows]
    return np.array(values) / NOISE_DEVIATION
