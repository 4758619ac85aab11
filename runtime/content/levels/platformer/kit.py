"""The kit of the platformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runtime.content.checks import invalid
from runtime.content.levels.candidates import one_each, requested
from runtime.content.levels.kit import GameKit, Player
from runtime.content.levels.platformer import replay
from runtime.content.levels.platformer.game import PLATFORMER
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import FREE, Cell, Outcome, Prove, find, goals_of, starts_of

LOOK = 20_000  # nodes of the search in a feasibility check; the relaxation before it searches more, and is what counts


def labour(rows: Sequence[str], moves: str) -> int:
    """Jumps of the solution, and columns with an enemy or hazard, in a thousand columns."""
    jumps = sum(move in "JRL" and before not in "JRL" for before, move in pairwise("." + moves))
    tiles = PLATFORMER.tiles
    dangers = sum(any(tiles[row[x]].hazard for row in rows) for x in range(len(rows[0])))
    return 1000 * (jumps + dangers) // len(rows[0])


def length(rows: Sequence[str], moves: str) -> int:
    """Ticks in hundredths of the width."""
    return 100 * len(moves) // len(rows[0])


def _solve(rows: Sequence[str], budget: int) -> Outcome:
    from runtime.content.levels.platformer import solver  # numba takes half a second to import

    return solver.solve(rows, budget)


def _mend(rows: Sequence[str], fixed: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    from runtime.content.levels.platformer import repair

    return repair.mend(rows, fixed, prove)


def _arrange(wishes: Wishes, _number: int, rows: Sequence[str], fixed: Set[Cell]) -> list[str]:
    from runtime.content.levels.platformer import repair

    return repair.arrange(rows, fixed, anywhere=wishes.base is not None or "goals" in wishes.ranges)


def _tell(wishes: Wishes, number: int, given: NDArray[np.int64]) -> Mapping[str, int]:
    """One start, and one goal: with another goal on the way, the level's end need not be reached."""
    return one_each(wishes, given, starts_of(PLATFORMER) + goals_of(PLATFORMER)) | requested(wishes, number)


def _check(wishes: Wishes, rows: list[str]) -> None:
    """Refuse counts without one start and a goal, and fixed tiles that nobody gets through."""
    if wishes.ranges.get("starts", (1, 1)) != (1, 1):
        raise invalid("counts", "starts: a platformer has one")
    if wishes.ranges.get("goals", (1, 1))[1] == 0:
        raise invalid("counts", "goals: a platformer has at least one")
    if find(rows, "S"):  # a free tile is a goal; else a part of the way, which can be climbed anywhere
        more = wishes.allows_more("goals", len(find(rows, "G")))
        best = [row.replace(FREE, "G" if more else "H") for row in rows]
        if find(best, "G") and (outcome := _solve(best, LOOK)).status == "unsolvable":
            raise invalid("fixed", f"what is fixed can't be completed, whatever is free: {outcome.why}")


KIT = GameKit(
    rules=PLATFORMER,
    player=Player(replay.replay, replay.path),
    solve=_solve,
    smallest=("S...........#G", "##....########"),
    labour=labour,
    tenths=(0, 41, 78, 100, 120, 139, 159, 181, 215, 284, 1111),
    length=length,
    shortest=(3, 101),
    check=_check,
    tell=_tell,
    arrange=_arrange,
    mend=_mend,
)
