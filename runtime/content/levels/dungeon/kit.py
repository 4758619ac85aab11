"""The kit of the dungeon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from runtime.content.checks import invalid
from runtime.content.levels.candidates import one_each, requested
from runtime.content.levels.dungeon import repair, replay, solver
from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.dungeon.places import place_stairs
from runtime.content.levels.kit import GameKit, Player
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import FREE, Cell, find, starts_of


def labour(rows: Sequence[str], moves: str) -> int:
    """Steps, in hundredths of the level's sides; half a side more for each monster or trap on the way; and for those
    elsewhere, one side for each that 20 tiles of floor have.
    """
    tiles = DUNGEON.tiles
    hurts = sum(tiles[rows[y][x]].hazard for y, x in solver.places(find(rows, "<")[0], moves))
    floor = sum(not tiles[char].solid for row in rows for char in row)
    dangers = sum(tiles[char].hazard for row in rows for char in row)
    return 100 * len(moves) // (len(rows) + len(rows[0])) + 50 * hurts + 2000 * dangers // floor


def length(rows: Sequence[str], moves: str) -> int:
    """Moves in hundredths of width + height."""
    return 100 * len(moves) // (len(rows) + len(rows[0]))


def _tell(wishes: Wishes, number: int, given: NDArray[np.int64]) -> Mapping[str, int]:
    """Given stairs and entrances; where none are given a rule places them later."""
    return one_each(wishes, given, starts_of(DUNGEON), otherwise=None) | requested(wishes, number)


def _arrange(_wishes: Wishes, _number: int, rows: Sequence[str], fixed: Set[Cell]) -> list[str]:
    return repair.arrange(rows, fixed)


def _check(wishes: Wishes, rows: list[str]) -> None:
    """Refuse counts without a start or a goal, and fixed tiles that close the way to the goal or a room."""
    if wishes.ranges.get("entrances", (1, 1))[1] == 0:
        raise invalid("counts", "entrances: a dungeon has a start, which is one")
    if wishes.ranges.get("exits", (1, 1))[1] == 0:
        raise invalid("counts", "exits: a dungeon has a goal, which is one")
    free_goal = FREE if wishes.allows_more("exits", len(find(rows, ">"))) else ""
    starts, goals = find(rows, "<"), find(rows, ">" + free_goal)
    best = [row.replace(FREE, ".").replace("D", "+") for row in rows]
    if starts and goals and not solver.reached(best, starts, has_key=True).keys() & set(goals):
        raise invalid("fixed", "what is fixed shuts the stairs up off from all stairs down, whatever is free")
    if starts and wishes.solved:  # every room must be open
        reached = solver.reached(best, starts, has_key=True).keys()
        for y, x in find(rows, "".join(solver.ENTERED)):
            if (y, x) not in reached:
                what = f"row {y}, column {x} off from the stairs up, whatever is free; every room is open"
                raise invalid("fixed", f"what is fixed shuts {what}")


KIT = GameKit(
    rules=DUNGEON,
    player=Player(replay.replay, replay.path),
    solve=solver.solve,
    smallest=("<.>",),
    place_ends=place_stairs,
    closed=solver.unreached,
    labour=labour,
    tenths=(1, 50, 69, 86, 107, 145, 202, 271, 379, 632, 3257),
    length=length,
    shortest=(1, 37),
    check=_check,
    tell=_tell,
    arrange=_arrange,
    arranged_by_rule=True,
    mend=repair.mend,
)
