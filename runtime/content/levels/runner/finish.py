"""What becomes of a solved candidate of the Lode Runner kind: made as hard as was asked for, and given its guards."""

from __future__ import annotations

from collections.abc import Sequence, Set

from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import Cell, Outcome, Prove, find
from runtime.content.levels.runner.guards import place_guards
from runtime.content.levels.runner.harder import harden
from runtime.content.levels.runner.measures import difficulty
from runtime.content.levels.runner.usual import usual_of


def guarded(wishes: Wishes, rows: Sequence[str], moves: str, fixed: Set[Cell]) -> list[str]:
    """The level with its guards: as many as the candidate has if they were asked for, or if tiles are given; else as
    many as such levels usually have.
    """
    usual, asked = usual_of(wishes), wishes.ranges.get("enemies")
    count = len(find(rows, "E")) if usual is None or asked is not None else usual.guards
    return place_guards(rows, moves, count, fixed, least=0 if asked is None else asked[0])


def hardened(
    wishes: Wishes, rows: list[str], outcome: Outcome, fixed: Set[Cell], prove: Prove
) -> tuple[list[str], Outcome]:
    """The level and its solution, as hard as asked for where it is too easy and moving or adding gold is enough; else
    as they are. No guards are placed yet, but counted.
    """

    def measure(tried: Sequence[str], found: Outcome) -> int:
        return difficulty(guarded(wishes, tried, found.moves, fixed), found.moves)

    if wishes.difficulty is None or measure(rows, outcome) >= wishes.difficulty[0]:
        return rows, outcome
    usual = usual_of(wishes)
    most = wishes.ranges["gold"][1] if "gold" in wishes.ranges else usual.most_gold if usual is not None else 0
    harder = harden(rows, outcome, fixed, wishes.difficulty[:2], most, measure, prove)
    return (rows, outcome) if harder is None else harder
