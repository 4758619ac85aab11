"""The kit of the Lode Runner kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from runtime.content.checks import invalid
from runtime.content.levels.candidates import one_each, requested
from runtime.content.levels.kit import GameKit, Player
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import FREE, Cell, Outcome, Prove, find, starts_of
from runtime.content.levels.runner import measures, replay
from runtime.content.levels.runner.game import RUNNER
from runtime.content.levels.runner.usual import lacks, usual_of


def _solve(rows: Sequence[str], budget: int) -> Outcome:
    from runtime.content.levels.runner import solver  # numba takes half a second to import

    return solver.solve(rows, budget)


def _mend(rows: Sequence[str], fixed: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    from runtime.content.levels.runner import repair

    return repair.mend(rows, fixed, prove)


def _arrange(wishes: Wishes, _number: int, rows: Sequence[str], fixed: Set[Cell]) -> list[str]:
    from runtime.content.levels.runner import repair

    gold = wishes.ranges.get("gold", (1, 1))[1] > 0
    return repair.arrange(rows, fixed, gold, wishes.ranges.get("enemies"))


def _harden(
    wishes: Wishes, rows: list[str], outcome: Outcome, fixed: Set[Cell], prove: Prove
) -> tuple[list[str], Outcome]:
    from runtime.content.levels.runner import finish

    return finish.hardened(wishes, rows, outcome, fixed, prove)


def _finish(wishes: Wishes, rows: list[str], moves: str, fixed: Set[Cell]) -> list[str]:
    from runtime.content.levels.runner import finish

    return finish.guarded(wishes, rows, moves, fixed)


def _tell(wishes: Wishes, number: int, given: NDArray[np.int64]) -> Mapping[str, int]:
    """One player, and the gold and guards that are drawn where the request has none."""
    usual = usual_of(wishes)
    drawn = {} if usual is None else {"gold": usual.gold, "enemies": usual.guards}
    return drawn | one_each(wishes, given, starts_of(RUNNER)) | requested(wishes, number)


def _difficulty_told(wishes: Wishes) -> int:
    usual = usual_of(wishes)
    return -1 if usual is None else usual.difficulty


def _lacks(wishes: Wishes, number: int, rows: Sequence[str]) -> str:
    usual = usual_of(wishes)
    return "" if usual is None else lacks(rows, usual, wishes, number)


def _check(wishes: Wishes, rows: list[str]) -> None:
    """Refuse counts without one player, and fixed tiles that nobody gets through."""
    from runtime.content.levels.runner import solver

    if wishes.ranges.get("players", (1, 1)) != (1, 1):
        raise invalid("counts", "players: the Lode Runner kind has one")
    if find(rows, "M") and (why := solver.impossible(with_ladders(rows))):
        raise invalid("fixed", f"what is fixed can't be completed, whatever is free: {why}")


def with_ladders(rows: list[str]) -> list[str]:
    """The best that a level can become: a free tile is a ladder, and so are the bricks under it, which can be dug if
    the tile turns out to be air.
    """
    columns = ["".join(column) for column in zip(*rows, strict=True)]
    best = [re.sub(f"{FREE}[{FREE}b]*", lambda run: "#" * len(run[0]), column) for column in columns]
    return ["".join(row) for row in zip(*best, strict=True)]


KIT = GameKit(
    rules=RUNNER,
    player=Player(replay.replay, replay.path),
    solve=_solve,
    smallest=("M..G..", "######"),
    labour=measures.labour,
    tenths=measures.TENTHS,
    length=measures.length,
    shortest=(14, 119),
    length_by=frozenset({"gold"}),
    check=_check,
    tell=_tell,
    difficulty_told=_difficulty_told,
    arrange=_arrange,
    lacks=_lacks,
    mend=_mend,
    harden=_harden,
    finish=_finish,
)
