"""Start and goal of a user's own game where they are missing, and the goal moved where no way leads to it.

A tile that is given is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from runtime.content.levels.own import OwnGame
from runtime.content.levels.own_search import places
from runtime.content.levels.rules import Cell, Outcome, Prove, find, goals_of, put, starts_of


def arrange(game: OwnGame, rows: Sequence[str], kept: Set[Cell]) -> list[str]:
    """The level with one start, those that are too many empty, and a goal: as far from it as one gets, if it has none.

    A missing start goes to the first place to rest in, by columns where one walks, else by rows.

    Raises:
        ValueError: there is no place for them.
    """
    starts = find(rows, starts_of(game))
    given = [cell for cell in starts if cell in kept] + [cell for cell in starts if cell not in kept]
    rows = put(rows, dict.fromkeys(given[1:], game.empty))
    if not starts:
        empty = [cell for cell in find(rows, game.empty) if cell not in kept]
        if not game.four_way:
            empty = sorted((cell for cell in empty if _bears(game, rows, cell)), key=lambda cell: (cell[1], cell[0]))
        if not empty:
            raise ValueError("no place to start in")
        rows = put(rows, {empty[0]: starts_of(game)})
    if not find(rows, goals_of(game)):
        rows = put(rows, {_farthest(game, rows, kept): goals_of(game)})
    return list(rows)


def _bears(game: OwnGame, rows: Sequence[str], cell: Cell) -> bool:
    y, x = cell
    return y + 1 < len(rows) and game.tiles[rows[y + 1][x]].solid


def _farthest(game: OwnGame, rows: Sequence[str], kept: Set[Cell]) -> Cell:
    """The empty place with the longest way from the start; of several, the first in reading order."""
    moves = places(game, rows)
    empty = [cell for cell in moves if rows[cell[0]][cell[1]] == game.empty and cell not in kept]
    if not empty:
        raise ValueError("no place for a goal can be reached from the start")
    return min(empty, key=lambda cell: (-moves[cell], cell))


def mend(game: OwnGame, rows: Sequence[str], kept: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    """The level with its goal where the longest way leads, unless that is shorter than the level's longer side."""
    goals = find(rows, goals_of(game))
    if kept & set(goals):
        return None
    bare = put(rows, dict.fromkeys(goals, game.empty))
    try:
        end = _farthest(game, bare, kept)
    except ValueError:
        return None
    mended = put(bare, {end: goals_of(game)})
    outcome = prove(mended)
    if outcome.status != "solved" or len(outcome.moves) < max(len(rows), len(rows[0])):
        return None
    return mended, outcome
