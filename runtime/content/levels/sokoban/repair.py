"""Small edits after which a level of Sokoban can be completed. Fixed tiles never change.

The edits and their order depend on the level alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence, Set
from itertools import islice

import numpy as np

from runtime.content.levels.rules import OFFSETS, Cell, Outcome, Prove, find, put
from runtime.content.levels.sokoban.search import FAR, push_distances
from runtime.content.levels.sokoban.solver import open_cells

TRIES = 48  # proofs in one repair, at most
REACH = 3  # tiles that a box or target is moved, at most


def arrange(rows: Sequence[str], fixed: Set[Cell], pairs: int) -> list[str]:
    """The level with one player and `pairs` boxes and targets. Surplus ones become floor, the last ones first; missing
    ones go to the first floor with floor on two opposite sides.

    Raises:
        ValueError: there is no floor for them, or too many are fixed.
    """
    for char, count in (("@", 1), ("$", pairs), (".", pairs)):
        found = find(rows, char)
        spare = [cell for cell in found if cell not in fixed][::-1][: max(0, len(found) - count)]
        rows = put(rows, dict.fromkeys(spare, " "))
        for _ in range(count - len(find(rows, char))):
            floor = [cell for cell in find(rows, " ") if cell not in fixed and _roomy(rows, cell)]
            if not floor:
                raise ValueError(f"no floor for {char!r}")
            rows = put(rows, {floor[0]: char})
        if len(find(rows, char)) != count:
            raise ValueError(f"too many {char!r} are given")
    return list(rows)


def _roomy(rows: Sequence[str], cell: Cell) -> bool:
    """Whether a box in the cell could be pushed."""
    y, x = cell

    def open_(v: int, u: int) -> bool:
        return 0 <= v < len(rows) and 0 <= u < len(rows[0]) and rows[v][u] != "#"

    return (open_(y - 1, x) and open_(y + 1, x)) or (open_(y, x - 1) and open_(y, x + 1))


def mend(rows: Sequence[str], fixed: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    """The level after small edits, with its solution; None if they are not enough.

    Boxes on dead squares go to the nearest floor from which a target can be reached. If that is not enough, one more
    box, a target or the player is moved.

    Args:
        rows: the level, with one player.
        fixed: the places of fixed tiles.
        prove: a solver with its budget.
    """
    mended = _off_dead_squares(rows, fixed)
    for tried in islice(_moved(mended, fixed), TRIES):
        if tried != rows and (outcome := prove(tried)).status == "solved":
            return tried, outcome
    return None


def _alive(rows: Sequence[str]) -> set[Cell]:
    """The cells from which a box alone in the level can be pushed to a target."""
    neighbours, places = open_cells(rows)
    targets = np.array([cell for cell, (y, x) in enumerate(places) if rows[y][x] in ".*+"], np.int32)
    distances = push_distances(neighbours, targets)
    return {place for cell, place in enumerate(places) if distances[:, cell].min(initial=FAR) < FAR}


def _off_dead_squares(rows: Sequence[str], fixed: Set[Cell]) -> list[str]:
    alive = _alive(rows)
    for box in find(rows, "$"):
        if box in alive or box in fixed:
            continue
        floor = [cell for cell in _near(rows, box, fixed) if cell in alive]
        if floor:
            rows = put(rows, {box: " ", floor[0]: "$"})
    return list(rows)


def _near(rows: Sequence[str], cell: Cell, fixed: Set[Cell]) -> list[Cell]:
    """Floor that may become something else, the nearest first, then in reading order."""
    y, x = cell
    able = [(abs(v - y) + abs(u - x), (v, u)) for v, u in find(rows, " ") if (v, u) not in fixed]
    return [place for away, place in sorted(able) if away <= REACH]


def _moved(rows: Sequence[str], fixed: Set[Cell]) -> Iterator[list[str]]:
    """The level, and then versions of it with one thing moved: the player to where the player can't walk, a box or a
    target by one tile, by two, ...
    """
    yield list(rows)
    alive = _alive(rows)
    (player,) = find(rows, "@")
    if player not in fixed:
        seen = _walked(rows, player)
        for cell in find(rows, " "):
            if cell not in seen and cell not in fixed:
                seen |= _walked(rows, cell)
                yield put(rows, {player: " ", cell: "@"})
    moves = []
    for kind, char in enumerate("$."):
        for thing in find(rows, char):
            for cell in _near(rows, thing, fixed) if thing not in fixed else []:
                if char == "." or cell in alive:
                    away = abs(cell[0] - thing[0]) + abs(cell[1] - thing[1])
                    moves.append((away, kind, thing, cell, char))
    for _, _, thing, cell, char in sorted(moves):
        yield put(rows, {thing: " ", cell: char})


def _walked(rows: Sequence[str], start: Cell) -> set[Cell]:
    """The cells that the player can walk to without a push."""
    seen, queue = {start}, deque([start])
    while queue:
        y, x = queue.popleft()
        for dy, dx in OFFSETS.values():
            v, u = y + dy, x + dx
            inside = 0 <= v < len(rows) and 0 <= u < len(rows[0])
            if inside and (v, u) not in seen and rows[v][u] not in "#$*":
                seen.add((v, u))
                queue.append((v, u))
    return seen
