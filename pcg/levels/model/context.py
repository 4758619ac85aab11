"""The network's input for a tile: the tiles around it, its position, and what is still to be placed.

A level is a grid of lines and cells, generated line by line. The input is a list of rows of one table, an embedding
whose vectors are summed: one row for the tile at each place around, known or not; one for the distance to each edge;
one for the remaining number of each count; one for the difficulty. Training computes the lists of a whole level at once
(`indices`); sampling computes them tile by tile (pcg/levels/model/sampler.py), from the same numbers.

The network sees a tile ahead if it is fixed, so that the generated tiles lead up to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Places around a tile, as (lines, cells) from it: before it in the order of generation, and ahead.
BEHIND = tuple((dl, dc) for dl in (-3, -2, -1) for dc in range(-3, 4)) + tuple((0, dc) for dc in range(-4, 0))
AHEAD = tuple((0, dc) for dc in range(1, 5)) + tuple((dl, dc) for dl in (1, 2) for dc in range(dl - 3, 4 - dl))
AROUND = BEHIND + AHEAD
MARGIN = 4  # lines and cells beyond each edge that a place around may be in
MIRRORS = 2  # the places opposite in the same line, and in the opposite line

# Numbers are quantised: single steps up to 16, then wider ones. The last step stands for "not given".
STEPS = (*range(1, 17), 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1024, 2**20)
UNTOLD = 2**30
NUMBERS = len(STEPS) + 1
DIFFICULTIES = 10  # steps of difficulty; one more row stands for "not given"
EDGES = 4


@dataclass(frozen=True)
class Context:
    """The table's layout for an alphabet of `tiles` tiles and `counts` counts.

    Rows, in this order: for each place around, a row for each tile, one for "beyond the edge" and one for "unknown";
    for each count its steps; for each edge its steps; the difficulties.
    """

    tiles: int
    counts: int

    @property
    def outside(self) -> int:
        """The number that stands for a tile beyond the edge."""
        return self.tiles

    @property
    def unknown(self) -> int:
        """The number that stands for a tile that is not known yet."""
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
        """Rows that are summed for a tile."""
        return len(AROUND) + MIRRORS + self.counts + EDGES + 1


def number_step(value: NDArray[np.int64]) -> NDArray[np.int64]:
    """The step of STEPS for each number; 0 for numbers below one."""
    return np.searchsorted(np.array(STEPS), value, "right")


def difficulty_step(difficulty: float | None) -> int:
    """The step of a difficulty from 0 to 1; None stands for "not given"."""
    return DIFFICULTIES if difficulty is None else min(DIFFICULTIES - 1, int(difficulty * DIFFICULTIES))


def places(lines: int, cells: int, line: int) -> NDArray[np.int64]:
    """The places around each cell of a line, as indices of the flattened grid with its margin: (cells, around)."""
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
    """The rows of the table for every tile of a level, in the order of generation: int64 (lines * cells, width).

    Args:
        context: the table's layout.
        grid: tile numbers (lines, cells).
        fixed: (lines, cells), which tiles are known beforehand.
        remaining: (lines * cells, counts), the remaining number of each count before a tile is generated; UNTOLD where
            the network does not see the count.
        difficulty: from 0 to 1; None hides it.
    """
    lines, cells = grid.shape
    order = np.arange(lines * cells).reshape(lines, cells)
    # The grid when tile t is generated holds all tiles before it, and the fixed ones.
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
