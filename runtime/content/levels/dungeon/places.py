"""Rules for where a dungeon's start and goal go if the request does not say."""

from __future__ import annotations

from collections.abc import Sequence, Set

from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.dungeon.solver import areas, reached
from runtime.content.levels.rules import Cell, find, put


def place_stairs(rows: Sequence[str], fixed: Set[Cell] = frozenset()) -> list[str]:
    """The level with one start and a goal.

    The start is the stairs up in the largest area that has some; else the entrance in the largest area that has some;
    else an end of a long walk through the largest area of all. Areas without floor or goal don't count; locked doors
    count as open. Other stairs up become floor. Missing stairs down go to the floor tile with the longest path from the
    start. Of several candidates the first in reading order is taken. Tiles in `fixed` stay as they are.

    Raises:
        ValueError: there is no floor for start and goal.
    """
    stairs = find(rows, "<")
    entrances = [cell for cell in find(rows, "@") if cell not in fixed]
    given = [cell for cell in stairs if cell in fixed]
    start = _widest(rows, given or stairs) or _widest(rows, entrances) or _end_of_a_walk(rows, fixed)
    placed = [row.replace("<", ".") for row in rows]
    placed = put(placed, {start: "<"})
    if find(rows, ">"):
        return placed
    return put(placed, {_farthest(placed, start, fixed): ">"})


def _widest(rows: Sequence[str], cells: list[Cell]) -> Cell | None:
    """The first cell in the largest area that has one, and floor or a goal; None if there is no such cell."""
    able = []
    for area in areas(rows, set()):
        inside = set(cells).intersection(area)
        if inside and any(rows[y][x] in (DUNGEON.empty, ">") for y, x in area):
            able.append((-len(area), min(inside)))
    return min(able)[1] if able else None


def _end_of_a_walk(rows: Sequence[str], fixed: Set[Cell]) -> Cell:
    """One end of a long walk: the farthest floor tile from the first one of the largest area."""
    floors = [[c for c in area if rows[c[0]][c[1]] == DUNGEON.empty and c not in fixed] for area in areas(rows, set())]
    largest = max(floors, key=len, default=[])
    if not largest:
        raise ValueError("the level has no floor to start on")
    return _farthest(rows, min(largest), fixed)


def _farthest(rows: Sequence[str], start: Cell, fixed: Set[Cell]) -> Cell:
    """The floor tile with the longest path from a cell; of several, the first in reading order."""
    distance = reached(rows, [start])
    floor = [c for c in distance if rows[c[0]][c[1]] == DUNGEON.empty and c != start and c not in fixed]
    if not floor:
        raise ValueError(f"no floor can be reached from row {start[0]}, column {start[1]}")
    return min(floor, key=lambda cell: (-distance[cell], cell))
