"""The expressive range of a level model: linearity and leniency of its levels and of its corpus.

Smith and Whitehead (2010, "Analyzing the expressive range of a level generator") measured linearity and leniency of
platformers; the other games have the nearest equivalents. All values are from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.games import GAMES
from runtime.content.levels.platformer.game import PLATFORMER
from runtime.content.levels.rules import OFFSETS
from runtime.content.levels.runner.game import RUNNER
from runtime.content.levels.sokoban import search as sokoban_search
from runtime.content.levels.sokoban.game import SOKOBAN
from runtime.content.levels.sokoban.solver import open_cells

Rows = Sequence[str]
GUARDED = 3  # tiles around a guard of the Lode Runner kind


@dataclass(frozen=True)
class Range:
    """The two metrics of a game's levels, and their names on the picture."""

    linearity: Callable[[Rows], float]
    leniency: Callable[[Rows], float]
    straight: str
    mild: str


def platformer_linearity(rows: Rows) -> float:
    """1 if the ground is a straight line, 1/2 if its mean distance from the fitted line is one tile.

    The ground is the top of the lowest solid tiles of a column; columns without solid tiles are left out.
    """
    solid = _are(rows, "".join(t.char for t in PLATFORMER.tiles.values() if t.solid))[::-1]
    columns = np.flatnonzero(solid.any(0))
    if len(columns) < 2:
        return 1.0
    lowest = solid.argmax(0)
    open_above = ~solid & (np.arange(len(rows))[:, None] >= lowest)
    tops = np.where(open_above.any(0), open_above.argmax(0), len(rows))[columns]
    fitted = np.polyval(np.polyfit(columns, tops, 1), columns)
    return float(1 / (1 + np.abs(tops - fitted).mean()))


def platformer_leniency(rows: Rows) -> float:
    """The share of columns that are no gap and have no enemy and no hazard."""
    tiles = PLATFORMER.tiles.values()
    solid = _are(rows, "".join(tile.char for tile in tiles if tile.solid)).any(axis=0)
    hurts = _are(rows, "".join(tile.char for tile in tiles if tile.hazard)).any(axis=0)
    return float(np.mean(solid & ~hurts))


def corridors(rows: Rows, solid: str) -> float:
    """The share of open tiles with at most two open neighbours: corridors, corners and dead ends."""
    is_open = np.pad(~_are(rows, solid), 1)
    beside = np.sum([np.roll(is_open, offset, (0, 1)) for offset in OFFSETS.values()], axis=0)
    return float((beside[is_open] <= 2).mean()) if is_open.any() else 0.0


def far_from(rows: Rows, solid: str, dangers: str, reach: int) -> float:
    """The share of open tiles without `dangers` within `reach` tiles, diagonals included.

    Args:
        rows: the level.
        solid: the tiles that are not open.
        dangers: the tiles to be far from.
        reach: in tiles.
    """
    is_open, danger = ~_are(rows, solid), np.pad(_are(rows, dangers), reach)
    windows = np.lib.stride_tricks.sliding_window_view(danger, (2 * reach + 1, 2 * reach + 1))
    near = np.asarray(windows.any((2, 3)))
    return float((~near[is_open]).mean()) if is_open.any() else 1.0


def sokoban_leniency(rows: Rows) -> float:
    """The share of floor from which a box can be pushed to a target if there are no other boxes."""
    neighbours, places = open_cells(rows)
    ends = np.array([cell for cell, (y, x) in enumerate(places) if rows[y][x] in ".*+"], np.int32)
    if not len(ends):
        return 0.0
    return float((sokoban_search.push_distances(neighbours, ends) < sokoban_search.FAR).any(0).mean())


def runner_linearity(rows: Rows) -> float:
    """The share of floor among the places to stand, climb or hang on."""
    solid = _are(rows, "bB")
    hold, below = _are(rows, "#H-"), np.vstack([solid[1:], np.ones((1, len(rows[0])), bool)])
    floors = int((~solid & ~hold & below).sum())
    return floors / max(1, floors + int(hold.sum()))


def _are(rows: Rows, chars: str) -> NDArray[np.bool_]:
    """Where a level has one of `chars`: (height, width)."""
    return np.isin(np.array([list(row) for row in rows]), list(chars))


def _solid(game: str) -> str:
    return "".join(tile.char for tile in GAMES[game].tiles.values() if tile.solid and not tile.pushable)


RANGES: Mapping[str, Range] = {
    PLATFORMER.name: Range(platformer_linearity, platformer_leniency, "straight ground", "columns without danger"),
    SOKOBAN.name: Range(
        lambda rows: corridors(rows, _solid("sokoban")), sokoban_leniency, "corridors", "floor where no box is lost"
    ),
    DUNGEON.name: Range(
        lambda rows: corridors(rows, _solid("dungeon")),
        lambda rows: far_from(rows, _solid("dungeon"), "ML^", 1),
        "corridors",
        "floor without danger beside it",
    ),
    RUNNER.name: Range(
        runner_linearity,
        lambda rows: far_from(rows, _solid("runner"), "E", GUARDED),
        "floors, not ladders and ropes",
        "tiles far from guards",
    ),
}


def measure_range(game: str, levels: Iterable[Rows]) -> NDArray[np.float64]:
    """Linearity and leniency of each level: (levels, 2)."""
    about = RANGES[game]
    return np.array([[about.linearity(rows), about.leniency(rows)] for rows in levels]).reshape(-1, 2)
