"""Small edits after which a platformer can be completed: start and goal are placed, and obstacles removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import numpy as np

from runtime.content.levels.platformer import replay as platformer_replay
from runtime.content.levels.platformer import solver as platformer
from runtime.content.levels.platformer.game import PLATFORMER
from runtime.content.levels.platformer.motion import ABOVE, MARGIN, compile_enemies, compile_tiles
from runtime.content.levels.platformer.reach import reach
from runtime.content.levels.rules import TILE, Cell, Outcome, Prove, find, put

AIR = PLATFORMER.empty
NEAR = 20  # columns: a start is so near to the left end, a goal to the right end
PLACES = 4  # dead ends that are opened, at most
APPROACH = 30_000  # nodes of the search for the place nearest to a goal
LENGTH = 4  # tiles of a bridge, or of a wall that is cut through
CLEARANCE = 2  # tiles high that a cut is
AHEAD = 6  # tiles in which enemies and hazards are removed


def arrange(rows: Sequence[str], fixed: Set[Cell], *, anywhere: bool = False) -> list[str]:
    """The level with one start and a goal. Of several starts the fixed one stays, else the leftmost.

    A missing start goes to the first place to stand on from the left, a missing goal to the first from the right.

    Args:
        rows: the level.
        fixed: the places of fixed tiles.
        anywhere: if not, a start far from the left end and goals far from the right end are removed, unless they are
            fixed: the columns behind them would not be played.

    Raises:
        ValueError: several starts are fixed, or there is no place to stand on.
    """
    starts = sorted(find(rows, "S"), key=lambda cell: (cell not in fixed, cell[1], cell[0]))
    if len(fixed & set(starts)) > 1:
        raise ValueError("several starts are given")
    rows = put(rows, dict.fromkeys(starts[1:], AIR))
    if not anywhere:
        away = [cell for cell in starts[:1] if cell[1] >= NEAR]
        away += [cell for cell in find(rows, "G") if cell[1] < len(rows[0]) - NEAR]
        rows = put(rows, dict.fromkeys((cell for cell in away if cell not in fixed), AIR))
    stands = [cell for cell in _stands(rows) if cell not in fixed]
    for char, places in (("S", stands), ("G", stands[::-1])):
        if not find(rows, char):
            free = [cell for cell in places if rows[cell[0]][cell[1]] == AIR]
            if not free:
                raise ValueError(f"there is no place to stand on for {char!r}")
            rows = put(rows, {free[0]: char})
    return list(rows)


def _stands(rows: Sequence[str]) -> list[Cell]:
    """Cells of air above a solid tile and below air; from left to right, then from the top down."""
    return [
        (y, x)
        for x in range(len(rows[0]))
        for y in range(1, len(rows) - 1)
        if rows[y][x] == rows[y - 1][x] == AIR and PLATFORMER.tiles[rows[y + 1][x]].solid
    ]


def mend(rows: Sequence[str], fixed: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    """The level with its dead ends opened, and its solution; None if that is not enough.

    At a dead end each edit is tried alone: enemies and hazards removed, a gap bridged, a wall cut through, steps built.
    If none is enough, all are made, and the next dead end follows.

    Args:
        rows: the level, with start and goal.
        fixed: the places of fixed tiles.
        prove: a solver with its budget.
    """
    for _ in range(PLACES):
        place = _end_of_way(rows)
        everything = rows
        for edit in _edits(rows, place, fixed):
            if (edited := put(rows, edit)) == rows:
                continue
            outcome = prove(edited)
            if outcome.status == "solved":
                return edited, outcome
            everything = put(everything, {cell: char for cell, char in edit.items() if cell not in fixed})
        if everything == rows:
            return None
        outcome = prove(everything)
        if outcome.status == "solved":
            return list(everything), outcome
        rows = everything
    return None


def _end_of_way(rows: Sequence[str]) -> Cell:
    """The reachable place nearest to a goal; if the relaxation reaches a goal, the last place of the search."""
    tiles = compile_tiles(rows)
    ((row, column),) = find(rows, "S")
    reached, found, complete = reach(
        tiles, compile_enemies(rows, tiles), row + ABOVE, column + MARGIN, PLATFORMER.budget
    )
    if complete and not found:
        places = [(y, x) for y, x in (np.argwhere(reached) - (ABOVE, MARGIN)).tolist() if _bears(rows, y, x)]
        goals = find(rows, "G")
        away = [min(abs(x - u) + abs(y - v) for v, u in goals) for y, x in places]
        if places:
            return places[min(range(len(places)), key=lambda i: (away[i], places[i]))]
    x, y = platformer_replay.path(rows, platformer.approach(rows, APPROACH))[-1]
    return min(max(y // TILE, 0), len(rows) - 1), min(max(x // TILE, 0), len(rows[0]) - 1)


def _bears(rows: Sequence[str], y: int, x: int) -> bool:
    """Whether the player can stand in a tile."""
    inside = 0 <= y < len(rows) - 1 and 0 <= x < len(rows[0])
    return inside and PLATFORMER.tiles[rows[y + 1][x]].solid


def _edits(rows: Sequence[str], place: Cell, fixed: Set[Cell]) -> Iterator[dict[Cell, str]]:
    """Edits that may open the path from a place towards the nearest goal, the smallest first."""
    y, x = place
    goal = min(find(rows, "G"), key=lambda cell: (abs(cell[1] - x), cell))
    side = 1 if goal[1] >= x else -1

    def ahead(length: int, lines: Iterable[int]) -> list[Cell]:
        cells = [(v, x + side * step) for step in range(1, length + 1) for v in lines]
        return [(v, u) for v, u in cells if 0 <= v < len(rows) and 0 <= u < len(rows[0]) and (v, u) not in fixed]

    def solid(cell: Cell) -> bool:
        return PLATFORMER.tiles[tiles[cell]].solid

    tiles: Mapping[Cell, str] = {(v, u): char for v, row in enumerate(rows) for u, char in enumerate(row)}
    yield {cell: AIR for cell in ahead(AHEAD, range(len(rows))) if PLATFORMER.tiles[tiles[cell]].hazard}
    yield {
        cell: "=" for cell in ahead(LENGTH, (y + 1,)) if not PLATFORMER.tiles[tiles[cell]].solid and tiles[cell] != "G"
    }
    above = range(y - CLEARANCE + 1, y + 1)
    yield {cell: AIR for cell in ahead(LENGTH, above) if solid(cell)}
    # Up to where the goal is, step by step.
    up = [(y - 1 - step, x + side * (1 + step)) for step in range(LENGTH)]
    yield {cell: "=" for cell in up if cell not in fixed and tiles.get(cell) == AIR and goal[0] < y}
