"""Baseline models: an n-gram over tiles, and uniform noise.

The n-gram is a multi-dimensional Markov chain (Snodgrass and Ontanon 2014): it draws each tile from the tiles that
followed the same neighbours in the training levels. If no training level has these neighbours together, it drops the
last two, and repeats.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pcg.levels.corpus.examples import lines_of
from pcg.levels.evaluation.patterns import Tiles

# (lines, cells) from a tile, the most informative first. Of the first two, which lie ahead, only the edge is seen.
NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0))
AHEAD = 2
BACK_OFF = (8, 6, 4, 2, 0)  # how many neighbours are used, from most to fewest
MARGIN = 2


class Ngram:
    """Counts which tiles followed which neighbours, in the network's order of generation.

    `levels`: (height, width) tile numbers each; `tiles`: number of tiles in the alphabet; `by_columns`: whether a line
    is a column.
    """

    def __init__(self, levels: Iterable[Tiles], tiles: int, *, by_columns: bool) -> None:
        self.outside, self.unknown = tiles, tiles + 1
        self.by_columns = by_columns
        # Neighbours to the tiles that followed them, with repetitions.
        self.followers: dict[bytes, bytearray] = defaultdict(bytearray)
        for level in levels:
            grid = lines_of(level.astype(np.int64), by_columns)
            padded = self._padded(grid)
            for line, cell in np.ndindex(*grid.shape):
                seen = self._seen(padded, line, cell)
                for count in BACK_OFF:
                    self.followers[seen[:count]].append(int(grid[line, cell]))
                padded[line + MARGIN, cell + MARGIN] = grid[line, cell]

    def generate(self, height: int, width: int, rng: np.random.Generator) -> Tiles:
        """Generate a level, uint8 (height, width)."""
        shape = (width, height) if self.by_columns else (height, width)
        padded = self._padded(np.zeros(shape, np.int64))
        for line, cell in np.ndindex(*shape):
            seen = self._seen(padded, line, cell)
            followers = next(self.followers[seen[:n]] for n in BACK_OFF if seen[:n] in self.followers)
            padded[line + MARGIN, cell + MARGIN] = followers[int(rng.integers(len(followers)))]
        level = padded[MARGIN:-MARGIN, MARGIN:-MARGIN]
        return np.ascontiguousarray(level.T[::-1] if self.by_columns else level)

    def _padded(self, grid: NDArray[np.int64]) -> Tiles:
        return np.pad(np.full(grid.shape, self.unknown, np.uint8), MARGIN, constant_values=self.outside)

    def _seen(self, padded: Tiles, line: int, cell: int) -> bytes:
        return bytes(padded[line + MARGIN + dl, cell + MARGIN + dc] for dl, dc in NEIGHBOURS)


def noise(sizes: Sequence[tuple[int, int]], tiles: int, rng: np.random.Generator) -> list[Tiles]:
    """Levels of these sizes (height, width) with uniformly random tiles."""
    return [rng.integers(0, tiles, size).astype(np.uint8) for size in sizes]
