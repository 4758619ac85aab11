"""How hard a level is, from the solution that a solver found: 0 as the easiest of the levels that people made, 1 as the
hardest (docs/levels.md, Generating).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from runtime.content.levels.custom.game import OwnGame
from runtime.content.levels.dungeon.solver import places
from runtime.content.levels.rules import DUNGEON, PLATFORMER, Game, find

DIG_COSTS = 10  # steps of the Lode Runner kind that a dig, or a guard, counts as more


def labour_of_sokoban(rows: Sequence[str], moves: str) -> int:
    """Pushes."""
    del rows
    return sum(move.isupper() for move in moves)


def labour_of_dungeon(rows: Sequence[str], moves: str) -> int:
    """The way, in hundredths of the level's sides; for each monster or trap in it half a side more, and for what lurks
    elsewhere a side for 20 tiles of floor.
    """
    tiles = DUNGEON.tiles
    hurts = sum(tiles[rows[y][x]].hazard for y, x in places(find(rows, "<")[0], moves))
    floor = sum(not tiles[char].solid for row in rows for char in row)
    dangers = sum(tiles[char].hazard for row in rows for char in row)
    return 100 * len(moves) // (len(rows) + len(rows[0])) + 50 * hurts + 2000 * dangers // floor


def labour_of_platformer(rows: Sequence[str], moves: str) -> int:
    """Jumps of the solution, and columns with an enemy or hazard, in a thousand columns."""
    jumps = sum(move in "JRL" and before not in "JRL" for before, move in pairwise("." + moves))
    tiles = PLATFORMER.tiles
    dangers = sum(any(tiles[row[x]].hazard for row in rows) for x in range(len(rows[0])))
    return 1000 * (jumps + dangers) // len(rows[0])


def labour_of_runner(rows: Sequence[str], moves: str) -> int:
    """Steps of the solution, and ten more for each dig and each guard, in a thousand tiles."""
    steps = sum(move != "." for move in moves)
    trials = sum(move in "LR" for move in moves) + len(find(rows, "E"))
    return 1000 * (steps + DIG_COSTS * trials) // (len(rows) * len(rows[0]))


# A game's labour, and the labour of the levels that people made: the least, the first tenth, ..., the most. What a
# seed gives depends on these numbers, so they stay once a model of the game is out.
LABOURS: Mapping[str, tuple[Callable[[Sequence[str], str], int], tuple[int, ...]]] = {
    "sokoban": (labour_of_sokoban, (4, 9, 10, 12, 13, 14, 16, 17, 19, 23, 46)),
    "dungeon": (labour_of_dungeon, (1, 50, 69, 86, 107, 145, 202, 271, 379, 632, 3257)),
    "platformer": (labour_of_platformer, (0, 41, 78, 100, 120, 139, 159, 181, 215, 284, 1111)),
    "runner": (labour_of_runner, (14, 225, 334, 444, 508, 568, 664, 770, 905, 1190, 2616)),
}


def labour(game: Game, rows: Sequence[str], moves: str) -> int:
    """How much a solution asks of the player, in the game's own unit; in a user's own game moves in hundredths of the
    level's sides.
    """
    if isinstance(game, OwnGame):
        return 100 * len(moves) // (len(rows) + len(rows[0]))
    return LABOURS[game.name][0](rows, moves)


def measured(game: Game, rows: Sequence[str], moves: str) -> int:
    """The difficulty of a level with its solution, in hundredths.

    >>> from runtime.content.levels.rules import SOKOBAN
    >>> measured(SOKOBAN, ["######", "#@ $.#", "######"], "rR")
    0
    """
    tenths = game.legend.tenths if isinstance(game, OwnGame) else LABOURS[game.name][1]
    found = labour(game, rows, moves)
    if found >= tenths[-1]:
        return 100
    tenth = bisect_right(tenths, found) - 1
    if tenth < 0:
        return 0
    low, high = tenths[tenth], tenths[tenth + 1]
    return 10 * tenth + 10 * (found - low) // (high - low)
