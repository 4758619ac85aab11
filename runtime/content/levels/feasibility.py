"""Finds wishes that no level can meet, before any candidate is generated.

A free tile counts as whatever helps most. So what is refused is impossible; what is not refused may be impossible too.
"""

from __future__ import annotations

from runtime.content.checks import invalid
from runtime.content.levels.games import kit_of
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import FREE, find, goals_of, starts_of


def check_feasible(wishes: Wishes) -> None:
    """Raises RpcError INVALID_PARAMS where counts contradict each other or fixed tiles, or those can't be completed."""
    rows = wishes.rows(wishes.fixed)
    free = sum(row.count(FREE) for row in rows)
    needed = 0
    for name, (least, most) in wishes.ranges.items():
        fixed = len(find(rows, wishes.counted[name]))
        if fixed > most:
            raise invalid("counts", f"at most {most} {name} are asked for, and {fixed} are fixed")
        needed += max(0, least - fixed)
    if needed > free:
        raise invalid("counts", f"they ask for {needed} tiles more than are fixed, and only {free} are free")
    starts = find(rows, starts_of(wishes.game))
    if len(starts) > 1:
        (y, x), (v, u) = starts[:2]
        what = f"{wishes.game.name} has one start; row {y}, column {x} and row {v}, column {u} are both one"
        raise invalid("fixed", what)
    if not free:
        for kind, chars in (("start", starts_of(wishes.game)), ("goal", goals_of(wishes.game))):
            if chars and not find(rows, chars):
                raise invalid("fixed", f"every tile is fixed, and none is a {kind}")
    kit_of(wishes.game).check(wishes, rows)
