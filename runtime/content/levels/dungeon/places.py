"""Rules for where a dungeon's start and goal go if the request does not say."""

from __future__ import annotations

from collections.abc import Sequence, Set

from runtime.content.levels.dungeon.solver import areas, reached
from runtime.content.levels.rules import DUNGEON, Cell, find, put


def place_stairs(rows: Sequence[str], kept: Set[Cell] = frozenset()) -> list[str]:
    """The level with one start and a goal, those it has kept.

    The start is the stairs up in the largest area, else the entrance in the largest, else an end of a long walk through
    the largest of all; areas without floor or goal don't count, and locked doors count as open. Other stairs up become
    floor. Without stairs down, they go to the floor tile with the longest way from the start. Where several would do,
    the first in reading order is taken. Tiles in `kept` stay as they are.

    Raises:
        ValueError: there is no floor for them.
    """
    stairs = find(rows, "<")
    entrances = [cell for cell in find(rows, "@") if cell not in kept]
    given = [cell for cell in stairs if cell in kept]
    start = _widest(rows, given or stairs) or _widest(rows, entrances) or _end_of_a_walk(rows, kept)
    placed = [row.replace("<", ".") for row in rows]
    placed = put(placed, {start: "<"})
    if find(rows, ">"):
        return placed
    return put(placed, {_farthest(placed, start, kept): ">"})


def _widest(rows: Sequence[str], cells: list[Cell]) -> Cell | None:
    """The first cell in the largest area that has one, and floor or a goal; None if there is no such cell."""
    able = []
    for area in areas(rows, set()):
        inside = set(cells).intersection(area)
        if inside and any(rows[y][x] in (DUNGEON.empty, ">") for y, x in area):
            able.append((-len(area), min(inside)))
    return min(able)[1] if able else None


def _end_of_a_walk(rows: Sequence[str], kept: Set[Cell]) -> Cell:
    """One end of a long walk: the farthest floor tile from the first one of the largest area."""
    floors = [[c for c in area if rows[c[0]][c[1]] == DUNGEON.empty and c not in kept] for area in areas(rows, set())]
    largest = max(floors, key=len, default=[])
    if not largest:
        raise ValueError("the level has no floor to start on")
    return _farthest(rows, min(largest), kept)


def _farthest(rows: Sequence[str], start: Cell, kept: Set[Cell]) -> Cell:
    """The floor tile with the longest way from a cell; of several, the first in reading order."""
    distance = reached(rows, [start])
    floor = [c for c in distance if rows[c[0]][c[1]] == DUNGEON.empty and c != start and c not in kept]
    if not floor:
        raise ValueError(f"no floor can be reached from row {start[0]}, column {start[1]}")
    return min(floor, key=lambda cell: (-distance[cell], cell))
