"""How many boxes, and as many targets, a level of Sokoban gets."""

from __future__ import annotations

from runtime.content.checks import invalid
from runtime.content.levels.candidates import pick
from runtime.content.levels.requests import Range, Wishes
from runtime.content.levels.rules import FREE, find, starts_of


def pairs(wishes: Wishes) -> Range:
    """The least and the most number of boxes, and of targets, that a level can have.

    Raises:
        RpcError: INVALID_PARAMS where the requested counts and the fixed tiles leave no number.
    """
    rows = wishes.rows(wishes.fixed)
    free = sum(row.count(FREE) for row in rows)
    room = free - (not find(rows, starts_of(wishes.game)))
    least, most = 1, len(rows) * len(rows[0])
    for name in ("boxes", "targets"):
        low, high = wishes.ranges.get(name, (0, most))
        fixed = len(find(rows, wishes.counted[name]))
        least, most = max(least, low, fixed), min(most, high, fixed + free)
        room += fixed
    if least > min(most, room // 2):
        asked = [wishes.ranges.get(name) for name in ("boxes", "targets")]
        boxes, targets = ("free" if r is None else f"{r[0]} to {r[1]}" for r in asked)
        what = "with what is fixed, and the player, there can't be as many of each"
        raise invalid("counts", f"boxes {boxes} and targets {targets}: {what}")
    return least, min(most, room // 2)


def pairs_of(wishes: Wishes, number: int) -> int:
    """The number of boxes, and of targets, of a candidate: as requested; else as in the level to vary; else four, or
    fewer where there is no room.
    """
    least, most = pairs(wishes)
    if wishes.ranges.keys() & {"boxes", "targets"}:
        return least + pick(wishes.seed, number, "boxes", most - least + 1)
    height, width = wishes.shape
    if wishes.base is not None:
        usual = int((wishes.base == wishes.tiles.index("$")).sum())
    else:
        usual = min(4, (height - 2) * (width - 2) // 9)
    return min(max(usual, least), most)
