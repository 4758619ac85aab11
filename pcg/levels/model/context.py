"""What the network sees when it writes a tile: the tiles around it, where it is, what is still to be placed.

A level is a grid of lines and cells, written line by line. All the network sees is a list of rows of one table, whose
vectors are added up: one row for the tile at each place around, known or not; one for the distance to each edge; one
for how many of each counted tile are still to come; one for the difficulty. Training computes the lists of a whole
level at once (`indices`), sampling tile by tile (pcg/levels/model/sampler.py), from the same numbers.

A tile ahead is seen where it is fixed beforehand, so that what is written leads up to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Places around a tile, as (lines, cells) from it. Before it in writing order, and ahead.
BEHIND = tuple((dl, dc) for dl in (-3, -2, -1) for dc in range(-3, 4)) + tuple((0, dc) for dc in range(-4, 0))
AHEAD = tuple((0, dc) for dc in range(1, 5)) + tuple((dl, dc) for dl in (1, 2) for dc in range(dl - 3, 4 - dl))
AROUND = BEHIND + AHEAD
MARGIN = 4  # lines and cells beyond each edge that a place around may be in
MIRRORS = 2  # the places opposite in the same line, and in the opposite line

# Numbers are told in steps: each up to 16, then ever wider. More than a million stands for "not told".
STEPS = (*range(1, 17), 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1024, 2**20)
UNTOLD = 2**30
NUMBERS = len(STEPS) + 1
DIFFICULTIES = 10  # steps of difficulty; one more row stands for "not told"
EDGES = 4


@dataclass(frozen=True)
class Context:
    """The table's layout for an alphabet of `tiles` and `counts` counted kinds.

    Rows, in this order: for each place around, a row a tile, one for beyond the edge, one for not yet known; for each
    count its numbers; for each edge its numbers; the difficulties.
    """

    tiles: int
    counts: int

    @property
    def outside(self) -> int:
        """What stands for a tile beyond the edge; the one for a tile not yet known is one more."""
        return self.tiles

    @property
    def unknown(self) -> int:
        """What stands for a tile that is not known yet."""
        return self.tiles + 1

    @property
    def around_base(self) -> NDArray[np.int64]:
        """First row of each place around, and of the two mirror places."""
        return np.arange(len(AROUND) + MIRRORS) * (self.tiles + 2)

    @property
    def count_base(self) -> NDArray[np.int64]:
        """First row of each count."""
        return len(self.around_base) * (self.tiles + 2) + np.arange(self.counts) * NUMBERS

    @property
    def edge_base(self) -> NDArray[np.int64]:
        """First row of the distance to each edge: lines before, lines after, cells before, cells after."""
        first = len(self.around_base) * (self.tiles + 2) + self.counts * NUMBERS
        return first + np.arange(EDGES) * NUMBERS

    @property
    def difficulty_base(self) -> int:
        """First row of the difficulty."""
        return int(self.edge_base[-1]) + NUMBERS

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return self.difficulty_base + DIFFICULTIES + 1

    @property
    def width(self) -> int:
        """Rows that are added up for a tile."""
        return len(AROUND) + MIRRORS + self.counts + EDGES + 1


def number_step(value: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which step of STEPS a number is told as; below one is 0."""
    return np.searchsorted(np.array(STEPS), value, "right")


def difficulty_step(difficulty: float | None) -> int:
    """Which step a difficulty from 0 to 1 is told as; None is not told."""
    return DIFFICULTIES if difficulty is None else min(DIFFICULTIES - 1, int(difficulty * DIFFICULTIES))


def places(lines: int, cells: int, line: int) -> NDArray[np.int64]:
    """Where the places around each cell of a line lie in the grid with its margin, flattened: (cells, around)."""
    stride = cells + 2 * MARGIN
    cell = np.arange(cells)
    here = (line + MARGIN) * stride + MARGIN + cell
    around = here[:, None] + np.array([dl * stride + dc for dl, dc in AROUND])
    opposite_cell = (line + MARGIN) * stride + MARGIN + cells - 1 - cell
    opposite_line = (lines - 1 - line + MARGIN) * stride + MARGIN + cell
    return np.concatenate([around, opposite_cell[:, None], opposite_line[:, None]], 1)


def indices(
    context: Context,
    grid: NDArray[np.int64],
    fixed: NDArray[np.bool_],
    remaining: NDArray[np.int64],
    difficulty: float | None,
) -> NDArray[np.int64]:
    """The rows of the table for every tile of a level, in writing order: (lines * cells, context.width).

    grid: tile numbers (lines, cells); fixed: which of them are known beforehand; remaining: (lines * cells, counts),
    how many of each count are still to come when a tile is written, UNTOLD where the model is not told.
    """
    lines, cells = grid.shape
    order = np.arange(lines * cells).reshape(lines, cells)
    # What is in the grid when tile number t is written: everything before it, and what is fixed.
    padded = np.pad(np.where(fixed, grid, context.unknown), MARGIN, constant_values=context.outside).ravel()
    written = np.pad(grid, MARGIN, constant_values=context.outside).ravel()
    when = np.pad(order, MARGIN, constant_values=-1).ravel()
    where = np.concatenate([places(lines, cells, line) for line in range(lines)])
    seen = np.where(when[where] < order.reshape(-1, 1), written[where], padded[where])
    line, cell = np.divmod(order.ravel(), cells)
    edges = np.stack([line, lines - 1 - line, cell, cells - 1 - cell], 1)
    told = np.full((lines * cells, 1), context.difficulty_base + difficulty_step(difficulty))
    return np.concatenate(
        [
            seen + context.around_base,
            number_step(remaining) + context.count_base,
            number_step(edges) + context.edge_base,
            told,
        ],
        1,
    )
