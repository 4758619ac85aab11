"""How hard a level is: its rank among the levels that people made (docs/levels.md, Difficulty)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


def hundredths(labour: int, tenths: Sequence[int]) -> int:
    """The difficulty in hundredths: 0 as the easiest training level, 100 as the hardest.

    >>> hundredths(15, [10, 20, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    5

    Args:
        labour: of the level's solution.
        tenths: the labour of the training levels: the least, the first decile, ..., the most.
    """
    if labour >= tenths[-1]:
        return 100
    tenth = bisect_right(tenths, labour) - 1
    if tenth < 0:
        return 0
    low, high = tenths[tenth], tenths[tenth + 1]
    return 10 * tenth + 10 * (labour - low) // (high - low)
