"""Repairs of a custom game's levels: a missing start and goal are placed; a goal that can't be reached, or is too near,
is moved. Fixed tiles never change.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from runtime.content.levels.custom.game import CustomGame
from runtime.content.levels.custom.search import places
from runtime.content.levels.rules import Cell, Outcome, Prove, find, goals_of, put, starts_of


def arrange(game: CustomGame, rows: Sequence[str], fixed: Set[Cell]) -> list[str]:
    """The level with one start and a goal. Surplus starts become empty.

    A missing start goes to the first place to rest in, by columns where the player walks, else by rows; a missing goal
    to the place farthest from the start. Both go where starts and goals of the training levels are, if there is room.

    Raises:
        ValueError: there is no place for them.
    """
    starts = find(rows, starts_of(game))
    given = [cell for cell in starts if cell in fixed] + [cell for cell in starts if cell not in fixed]
    rows = put(rows, dict.fromkeys(given[1:], game.empty))
    if not starts:
        empty = [cell for cell in find(rows, game.empty) if cell not in fixed]
        if not game.four_way:
            empty = sorted((cell for cell in empty if _bears(game, rows, cell)), key=lambda cell: (cell[1], cell[0]))
        if not empty:
            raise ValueError("no place to start in")
        usual = [cell for cell in empty if _within(game.legend.start_area, rows, cell)]
        rows = put(rows, {(usual or empty)[0]: starts_of(game)})
    if not find(rows, goals_of(game)):
        rows = put(rows, {_farthest(game, rows, fixed): goals_of(game)})
    return list(rows)


def _bears(game: CustomGame, rows: Sequence[str], cell: Cell) -> bool:
    y, x = cell
    return y + 1 < len(rows) and game.tiles[rows[y + 1][x]].solid


def _within(area: Sequence[int], rows: Sequence[str], cell: Cell) -> bool:
    """Whether a place is in an area of the legend. An empty area is the whole level."""
    if not area:
        return True
    left, top, right, bottom = area
    (y, x), last_row, last_column = cell, len(rows) - 1, len(rows[0]) - 1
    return left * last_column <= 100 * x <= right * last_column and top * last_row <= 100 * y <= bottom * last_row


def _farthest(game: CustomGame, rows: Sequence[str], fixed: Set[Cell]) -> Cell:
    """The empty place with the longest path from the start, in the goals' area, or anywhere if nothing there can be
    reached; of several, the first in reading order.
    """
    moves = places(game, rows)
    empty = [cell for cell in moves if rows[cell[0]][cell[1]] == game.empty and cell not in fixed]
    if not empty:
        raise ValueError("no place for a goal can be reached from the start")
    usual = [cell for cell in empty if _within(game.legend.goal_area, rows, cell)]
    return min(usual or empty, key=lambda cell: (-moves[cell], cell))


def mend(game: CustomGame, rows: Sequence[str], fixed: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    """The level with its goal at the end of the longest path, and the solution; None if nothing can be reached.

    Model files without `lengths` also require a solution as long as the level's longer side.

    Args:
        game: of the level.
        rows: the level.
        fixed: the places of fixed tiles.
        prove: a solver with its budget.
    """
    goals = find(rows, goals_of(game))
    if fixed & set(goals):
        return None
    bare = put(rows, dict.fromkeys(goals, game.empty))
    try:
        end = _farthest(game, bare, fixed)
    except ValueError:
        return None
    mended = put(bare, {end: goals_of(game)})
    outcome = prove(mended)
    short = not game.legend.lengths and len(outcome.moves) < max(len(rows), len(rows[0]))
    if outcome.status != "solved" or short:
        return None
    return mended, outcome
