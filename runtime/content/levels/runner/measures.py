"""How hard, and how long, a solution of the Lode Runner kind is."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.content.levels.difficulty import hundredths
from runtime.content.levels.rules import find

DIG_COSTS = 10  # steps that a dig, or a guard, adds to the labour
TENTHS = (14, 225, 334, 444, 508, 568, 664, 770, 905, 1190, 2616)


def labour(rows: Sequence[str], moves: str) -> int:
    """Steps of the solution, and ten more for each dig and each guard, in a thousand tiles."""
    steps = sum(move != "." for move in moves)
    trials = sum(move in "LR" for move in moves) + len(find(rows, "E"))
    return 1000 * (steps + DIG_COSTS * trials) // (len(rows) * len(rows[0]))


def difficulty(rows: Sequence[str], moves: str) -> int:
    """The difficulty of a level with its solution, in hundredths."""
    return hundredths(labour(rows, moves), TENTHS)


def length(rows: Sequence[str], moves: str) -> int:
    """Moves but waits, in a thousand tiles."""
    return 1000 * sum(move != "." for move in moves) // (len(rows[0]) * len(rows))
