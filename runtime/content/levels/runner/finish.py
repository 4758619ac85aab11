"""After the proof of the Lode Runner kind: the level is made as hard as requested, and its guards are placed."""

from __future__ import annotations

from collections.abc import Sequence, Set

from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import Cell, Outcome, Prove, find
from runtime.content.levels.runner.guards import place_guards
from runtime.content.levels.runner.harder import harden
from runtime.content.levels.runner.measures import difficulty
from runtime.content.levels.runner.usual import usual_of


def guarded(wishes: Wishes, rows: Sequence[str], moves: str, fixed: Set[Cell]) -> list[str]:
    """The level with its guards: as many as the candidate has if their number was requested or tiles are given; else
    the number that is drawn.
    """
    usual, asked = usual_of(wishes), wishes.ranges.get("enemies")
    count = len(find(rows, "E")) if usual is None or asked is not None else usual.guards
    return place_guards(rows, moves, count, fixed, least=0 if asked is None else asked[0])


def hardened(
    wishes: Wishes, rows: list[str], outcome: Outcome, fixed: Set[Cell], prove: Prove
) -> tuple[list[str], Outcome]:
    """The level and its solution; where it is too easy, as hard as requested if moving or adding gold is enough.

    Guards are not placed yet, but they count.

    Args:
        wishes: the request.
        rows, outcome: the level and its solution.
        fixed: the places of fixed tiles.
        prove: a solver with its budget.
    """

    def measure(tried: Sequence[str], found: Outcome) -> int:
        return difficulty(guarded(wishes, tried, found.moves, fixed), found.moves)

    if wishes.difficulty is None or measure(rows, outcome) >= wishes.difficulty[0]:
        return rows, outcome
    usual = usual_of(wishes)
    most = wishes.ranges["gold"][1] if "gold" in wishes.ranges else usual.most_gold if usual is not None else 0
    harder = harden(rows, outcome, fixed, wishes.difficulty[:2], most, measure, prove)
    return (rows, outcome) if harder is None else harder
