"""The kit of Sokoban."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from runtime.content.checks import invalid
from runtime.content.levels.candidates import one_each, requested
from runtime.content.levels.kit import GameKit, Player
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import FREE, Cell, Outcome, Prove, find, starts_of
from runtime.content.levels.sokoban import replay
from runtime.content.levels.sokoban.game import SOKOBAN
from runtime.content.levels.sokoban.pairs import pairs, pairs_of


def labour(_rows: Sequence[str], moves: str) -> int:
    """Pushes."""
    return sum(move.isupper() for move in moves)


def length(rows: Sequence[str], moves: str) -> int:
    """Moves in hundredths of width + height, for each target."""
    return 100 * len(moves) // ((len(rows[0]) + len(rows)) * max(1, len(find(rows, ".*+"))))


def _solve(rows: Sequence[str], budget: int) -> Outcome:
    from runtime.content.levels.sokoban import solver  # numba takes half a second to import

    return solver.solve(rows, budget)


def _mend(rows: Sequence[str], fixed: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    from runtime.content.levels.sokoban import repair

    return repair.mend(rows, fixed, prove)


def _arrange(wishes: Wishes, number: int, rows: Sequence[str], fixed: Set[Cell]) -> list[str]:
    from runtime.content.levels.sokoban import repair

    return repair.arrange(rows, fixed, pairs_of(wishes, number))


def _tell(wishes: Wishes, number: int, given: NDArray[np.int64]) -> Mapping[str, int]:
    """One player, and as many boxes as targets."""
    told = one_each(wishes, given, starts_of(SOKOBAN)) | requested(wishes, number)
    return told | dict.fromkeys(("boxes", "targets"), pairs_of(wishes, number))


def _check(wishes: Wishes, rows: list[str]) -> None:
    """Refuse counts that don't go together, and boxes and targets whose fixed surroundings allow no push."""
    from runtime.content.levels.sokoban.search import FAR, push_distances
    from runtime.content.levels.sokoban.solver import open_cells

    if wishes.ranges.get("players", (1, 1)) != (1, 1):
        raise invalid("counts", "players: Sokoban has one")
    pairs(wishes)
    neighbours, places = open_cells(rows)
    chars = [rows[y][x] for y, x in places]
    ends = np.array([cell for cell, char in enumerate(chars) if char in "." + FREE], np.int32)
    near = push_distances(neighbours, ends) < FAR  # (ends, cells)
    for cell, char in enumerate(chars):
        y, x = places[cell]
        if char == "$" and not near[:, cell].any():
            raise invalid("fixed", f"the box in row {y}, column {x} can't be pushed to any target, whatever is free")
        if char == ".":
            (row,) = near[ends == cell]
            if not any(row[other] for other, begin in enumerate(chars) if begin in "$" + FREE):
                raise invalid("fixed", f"no box can be pushed to the target in row {y}, column {x}, whatever is free")


KIT = GameKit(
    rules=SOKOBAN,
    player=Player(replay.replay, replay.path),
    solve=_solve,
    smallest=("######", "#@ $.#", "######"),
    labour=labour,
    tenths=(4, 9, 10, 12, 13, 14, 16, 17, 19, 23, 46),
    length=length,
    shortest=(10, 37),
    check=_check,
    tell=_tell,
    arrange=_arrange,
    mend=_mend,
)
