"""Wishes that no level can fulfil, found before any is written: what is fixed already, and the best that may follow.

A free tile counts as whatever helps most, so what is refused here is impossible; what is not may still be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from runtime.content.levels.custom import search as own_search
from runtime.content.levels.custom.game import OwnGame, with_free_tiles
from runtime.content.levels.dungeon import solver as dungeon
from runtime.content.levels.platformer import solver as platformer
from runtime.content.levels.requests import Range, Wishes, wrong
from runtime.content.levels.rules import FREE, find, goals_of, starts_of
from runtime.content.levels.runner import solver as runner
from runtime.content.levels.sokoban import search as sokoban_search
from runtime.content.levels.sokoban.solver import open_cells

LOOK = 20_000  # nodes of a look at a platformer; its relaxation takes more, and is what counts


def check_possible(wishes: Wishes) -> None:
    """Raises RpcError INVALID_PARAMS where counts contradict each other or what is fixed, or that can't be solved."""
    rows = wishes.rows(wishes.fixed)
    free = sum(row.count(FREE) for row in rows)
    needed = 0
    for name, (least, most) in wishes.ranges.items():
        fixed = len(find(rows, wishes.counted[name]))
        if fixed > most:
            raise wrong("counts", f"at most {most} {name} are asked for, and {fixed} are fixed")
        needed += max(0, least - fixed)
    if needed > free:
        raise wrong("counts", f"they ask for {needed} tiles more than are fixed, and only {free} are free")
    starts = find(rows, starts_of(wishes.game))
    if len(starts) > 1:
        (y, x), (v, u) = starts[:2]
        what = f"{wishes.game.name} has one start; row {y}, column {x} and row {v}, column {u} are both one"
        raise wrong("fixed", what)
    if not free:
        for kind, chars in (("start", starts_of(wishes.game)), ("goal", goals_of(wishes.game))):
            if chars and not find(rows, chars):
                raise wrong("fixed", f"every tile is fixed, and none is a {kind}")
    if isinstance(wishes.game, OwnGame):
        _own(wishes, wishes.game, rows)
    else:
        CHECKS[wishes.game.name](wishes, rows)


def pairs(wishes: Wishes) -> Range:
    """How many boxes, and as many targets, a level of Sokoban may have.

    Raises:
        RpcError: INVALID_PARAMS where what is asked and what is fixed leave no number.
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
        raise wrong("counts", f"boxes {boxes} and targets {targets}: {what}")
    return least, min(most, room // 2)


def _sokoban(wishes: Wishes, rows: list[str]) -> None:
    if wishes.ranges.get("players", (1, 1)) != (1, 1):
        raise wrong("counts", "players: Sokoban has one")
    pairs(wishes)
    neighbours, places = open_cells(rows)
    chars = [rows[y][x] for y, x in places]
    ends = np.array([cell for cell, char in enumerate(chars) if char in "." + FREE], np.int32)
    near = sokoban_search.push_distances(neighbours, ends) < sokoban_search.FAR  # (ends, cells)
    for cell, char in enumerate(chars):
        y, x = places[cell]
        if char == "$" and not near[:, cell].any():
            raise wrong("fixed", f"the box in row {y}, column {x} can't be pushed to any target, whatever is free")
        if char == ".":
            (row,) = near[ends == cell]
            if not any(row[other] for other, begin in enumerate(chars) if begin in "$" + FREE):
                raise wrong("fixed", f"no box can be pushed to the target in row {y}, column {x}, whatever is free")


def _dungeon(wishes: Wishes, rows: list[str]) -> None:
    if wishes.ranges.get("entrances", (1, 1))[1] == 0:
        raise wrong("counts", "entrances: a dungeon has a start, which is one")
    if wishes.ranges.get("exits", (1, 1))[1] == 0:
        raise wrong("counts", "exits: a dungeon has a goal, which is one")
    starts, goals = find(rows, "<"), find(rows, ">" + _goals_to_come(wishes, "exits", rows))
    best = [row.replace(FREE, ".").replace("D", "+") for row in rows]
    if starts and goals and not dungeon.reached(best, starts, has_key=True).keys() & set(goals):
        raise wrong("fixed", "what is fixed shuts the stairs up off from all stairs down, whatever is free")
    if starts and wishes.solved:  # every room is to be open
        reached = dungeon.reached(best, starts, has_key=True).keys()
        for y, x in find(rows, "".join(dungeon.ENTERED)):
            if (y, x) not in reached:
                what = f"row {y}, column {x} off from the stairs up, whatever is free; every room is open"
                raise wrong("fixed", f"what is fixed shuts {what}")


def _platformer(wishes: Wishes, rows: list[str]) -> None:
    if wishes.ranges.get("starts", (1, 1)) != (1, 1):
        raise wrong("counts", "starts: a platformer has one")
    if wishes.ranges.get("goals", (1, 1))[1] == 0:
        raise wrong("counts", "goals: a platformer has at least one")
    if find(rows, "S"):  # what is free is a goal, or else the way there, which can be climbed anywhere
        best = [row.replace(FREE, "G" if _goals_to_come(wishes, "goals", rows) else "H") for row in rows]
        if find(best, "G") and (outcome := platformer.solve(best, LOOK)).status == "unsolvable":
            raise wrong("fixed", f"what is fixed can't be completed, whatever is free: {outcome.why}")


def _runner(wishes: Wishes, rows: list[str]) -> None:
    if wishes.ranges.get("players", (1, 1)) != (1, 1):
        raise wrong("counts", "players: the Lode Runner kind has one")
    if find(rows, "M") and (why := runner.impossible(with_ladders(rows))):
        raise wrong("fixed", f"what is fixed can't be completed, whatever is free: {why}")


def with_ladders(rows: list[str]) -> list[str]:
    """The best that a level of the Lode Runner kind may become: what is free is a ladder, and so are the bricks under
    it, which can be dug if it turns out to be air.
    """
    columns = ["".join(column) for column in zip(*rows, strict=True)]
    best = [re.sub(f"{FREE}[{FREE}b]*", lambda run: "#" * len(run[0]), column) for column in columns]
    return ["".join(row) for row in zip(*best, strict=True)]


def _own(wishes: Wishes, game: OwnGame, rows: list[str]) -> None:
    for name, chars in wishes.counted.items():
        least, most = wishes.ranges.get(name, (1, 1))
        if chars == starts_of(game) and not least <= 1 <= most:
            raise wrong("counts", f"{name}: {game.name} has one start")
        if chars == goals_of(game) and most == 0:
            raise wrong("counts", f"{name}: {game.name} has at least one goal")
    if find(rows, starts_of(game)):
        outcome = own_search.solve(with_free_tiles(game), rows, game.budget)
        if outcome.status == "unsolvable":
            raise wrong("fixed", f"what is fixed can't be completed, whatever is free: {outcome.why}")


def _goals_to_come(wishes: Wishes, name: str, rows: list[str]) -> str:
    """FREE, where a free tile may be one more goal; else nothing."""
    least_most = wishes.ranges.get(name)
    fixed = len(find(rows, goals_of(wishes.game)))
    return FREE if least_most is None or fixed < least_most[1] else ""


CHECKS: Mapping[str, Callable[[Wishes, list[str]], None]] = {
    "sokoban": _sokoban,
    "dungeon": _dungeon,
    "platformer": _platformer,
    "runner": _runner,
}
