"""Small edits after which a dungeon can be completed and every room entered. Fixed tiles never change.

The edits and their order depend on the level alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence, Set

from runtime.content.levels.dungeon import solver as dungeon
from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.dungeon.places import place_stairs
from runtime.content.levels.rules import OFFSETS, Cell, Outcome, Prove, find, put

OPENED = 3  # walls opened for one path, at most
POCKET = 4  # tiles: a closed room so small is filled
ROOMS = 24  # closed rooms that are repaired, at most


def arrange(rows: Sequence[str], fixed: Set[Cell]) -> list[str]:
    """The level with one start and a goal, placed by rule if missing. Raises ValueError if there is no floor."""
    placed = place_stairs(rows, fixed)
    if any(placed[y][x] != rows[y][x] for y, x in fixed):
        raise ValueError("the stairs would take the place of what is given")
    return placed


def mend(rows: Sequence[str], fixed: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    """The level with a few walls opened for a path to a goal and to every closed room, and its solution.

    Closed rooms of a few tiles are filled. None if that is not enough.

    Args:
        rows: the level, with start and goal.
        fixed: the places of fixed tiles.
        prove: a solver with its budget.
    """
    start = find(rows, "<")
    known = dungeon.reached(rows, start)
    goals = set(find(rows, ">"))
    if not goals & known.keys():
        way = _way(rows, start, goals, fixed)
        if way is None:
            return None
        rows = _open(rows, way)
    for _ in range(ROOMS):
        closed = dungeon.unreached(rows)
        if not closed:
            break
        room = closed[0]
        way = _way(rows, room, dungeon.reached(rows, start).keys(), fixed)
        if way is not None:
            rows = _open(rows, way)
        elif len(room) <= POCKET and not fixed & set(room) and not goals & set(room):
            rows = put(rows, dict.fromkeys(room, "#"))
        else:
            return None
    outcome = prove(rows)
    return (list(rows), outcome) if outcome.status == "solved" and not dungeon.unreached(rows) else None


def _way(rows: Sequence[str], starts: Sequence[Cell], ends: Set[Cell], fixed: Set[Cell]) -> list[Cell] | None:
    """The tiles to open on the path that needs the fewest of them; None if it needs more than OPENED."""
    came: dict[Cell, Cell | None] = dict.fromkeys(starts)
    cost = dict.fromkeys(starts, 0)
    queue = deque(starts)
    done: set[Cell] = set()
    while queue:
        cell = queue.popleft()
        if cell in done:
            continue
        done.add(cell)
        if cell in ends:
            opened = []
            at: Cell | None = cell
            while at is not None:
                if rows[at[0]][at[1]] not in dungeon.ENTERED:
                    opened.append(at)
                at = came[at]
            return opened
        for dy, dx in OFFSETS.values():
            y, x = cell[0] + dy, cell[1] + dx
            if not (0 <= y < len(rows) and 0 <= x < len(rows[0])):
                continue
            shut = rows[y][x] not in dungeon.ENTERED
            total = cost[cell] + shut
            if (shut and (y, x) in fixed) or total > OPENED or total >= cost.get((y, x), OPENED + 1):
                continue
            cost[y, x], came[y, x] = total, cell
            if shut:
                queue.append((y, x))
            else:
                queue.appendleft((y, x))
    return None


def _open(rows: Sequence[str], cells: Sequence[Cell]) -> list[str]:
    """The level with the cells opened: a wall becomes a door, any other tile floor."""
    return put(rows, {(y, x): "+" if rows[y][x] == "#" else DUNGEON.empty for y, x in cells})
