"""Rules that place a dungeon's missing start and goal, and a key with its locked door."""

from __future__ import annotations

from collections.abc import Sequence, Set

from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.dungeon.solver import areas, places, reached, solve
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


def place_key(rows: Sequence[str]) -> list[str]:
    """The level with a locked door on the only way to the goal, and its key off that way.

    Every solution passes the door: of the tiles on the solution that part the start from all goals, it is the last
    door, else the last floor tile between two solid ones. The key lies on the start's side, on the floor tile that is
    most steps away from the solution; of several, on the one farthest from the start, then the first in reading order.

    Raises:
        ValueError: rows are no level or have no solution, or no such tile or no floor for the key.
    """
    solution = solve(rows)
    if solution.status != "solved":
        raise ValueError(f"a locked door needs a level with a solution: {solution.why}")
    way = places(find(rows, "<")[0], solution.moves)
    doors = [cell for cell in way if rows[cell[0]][cell[1]] == "+"]
    narrow = [cell for cell in way if rows[cell[0]][cell[1]] == DUNGEON.empty and _between_solids(rows, cell)]
    for cell in (*reversed(doors), *reversed(narrow)):
        shut = put(rows, {cell: "D"})
        before = reached(shut, way[:1])
        floor = [other for other in before if rows[other[0]][other[1]] == DUNGEON.empty]
        if floor and not any(rows[y][x] == ">" for y, x in before):
            aside = reached(shut, way[: way.index(cell)])
            return put(shut, {min(floor, key=lambda other: (-aside[other], -before[other], other)): "k"})
    raise ValueError("no door and no narrow place parts the start from the goal, with floor for a key before it")


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


def _between_solids(rows: Sequence[str], cell: Cell) -> bool:
    """Whether both sides of a tile are closed, left and right or above and below."""

    def closed(y: int, x: int) -> bool:
        inside = 0 <= y < len(rows) and 0 <= x < len(rows[0])
        return not inside or DUNGEON.tiles[rows[y][x]].solid

    y, x = cell
    return (closed(y, x - 1) and closed(y, x + 1)) or (closed(y - 1, x) and closed(y + 1, x))
