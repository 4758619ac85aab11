"""Sokoban's solver: the fewest pushes, or a proof that there is no solution (docs/levels.md)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from runtime.content.levels.rules import OFFSETS, Cell, Outcome, check_rows
from runtime.content.levels.sokoban import search
from runtime.content.levels.sokoban.game import SOKOBAN
from runtime.content.levels.watch import look, watched

LARGEST, MOST_BOXES = 2_500, 50  # tiles, boxes: each position costs more the more there are
FIRST_POSITIONS, GROWTH = 4096, 8
WAYS = "".join(OFFSETS)


def solve(rows: Sequence[str], budget: int = SOKOBAN.budget) -> Outcome:
    """Solve a level with the fewest pushes; the walks between them are the shortest for those pushes.

    `budget`: the positions to search. A position is the cells of the boxes and the region of the player.

    Raises:
        ValueError: rows are no level, or one of more than 2,500 tiles or 50 boxes.
    """
    check_rows(SOKOBAN, rows)
    if len(rows) * len(rows[0]) > LARGEST:
        raise ValueError(f"a level of {len(rows[0])}x{len(rows)} is too large to solve; up to {LARGEST} tiles are not")
    neighbours, places = open_cells(rows)
    chars = [rows[y][x] for y, x in places]
    boxes = np.array([cell for cell, char in enumerate(chars) if char in "$*"], np.int32)
    targets = np.array([cell for cell, char in enumerate(chars) if char in ".*+"], np.int32)
    player = next(cell for cell, char in enumerate(chars) if char in "@+")
    if len(boxes) > MOST_BOXES:
        raise ValueError(f"{len(boxes)} boxes are too many to solve; up to {MOST_BOXES} are not")
    if len(boxes) < len(targets):
        return Outcome("unsolvable", "", 0, f"there are {len(targets)} targets and only {len(boxes)} boxes")
    distances = search.push_distances(neighbours, targets)
    if search.cheapest_assignment(distances, boxes) >= search.FAR:
        return Outcome("unsolvable", "", 0, "even alone, the boxes can't be pushed each to a target of its own")
    # A box is lost where no target can be reached from. With boxes to spare, one may be.
    dead = (distances == search.FAR).all(axis=0) & (len(boxes) == len(targets))
    kept = min(budget, FIRST_POSITIONS)
    numbers = watched()
    status, nodes, found = search.search(neighbours, distances, dead, boxes, player, kept, numbers)
    while status == search.UNKNOWN and kept < budget:  # again with more memory, which easy levels don't need
        look(numbers, nodes)
        kept = min(budget, kept * GROWTH)
        status, nodes, found = search.search(neighbours, distances, dead, boxes, player, kept, numbers)
    look(numbers, nodes)
    if status == search.UNKNOWN:
        return Outcome("unknown", "", nodes, f"no solution among the first {budget} positions")
    if status == search.UNSOLVABLE:
        return Outcome("unsolvable", "", nodes, f"none of the {nodes} positions that pushes can reach is a solution")
    pushes = [divmod(push, 4) for push in found.tolist()]
    moves = _with_walks(neighbours.tolist(), set(boxes.tolist()), player, pushes)
    return Outcome("solved", moves, nodes, f"{len(pushes)} pushes, the fewest there are")


def open_cells(rows: Sequence[str]) -> tuple[search.Cells, list[Cell]]:
    """The cells of a level that aren't wall: neighbours int32 (cells, 4), up, down, left, right, -1 for none; and their
    rows and columns.
    """
    places = [(y, x) for y, row in enumerate(rows) for x, char in enumerate(row) if char != "#"]
    number = {place: cell for cell, place in enumerate(places)}
    found = [[number.get((y + dy, x + dx), -1) for dy, dx in OFFSETS.values()] for y, x in places]
    return np.array(found, np.int32).reshape(-1, 4), places


def _with_walks(neighbours: list[list[int]], boxes: set[int], player: int, pushes: list[tuple[int, int]]) -> str:
    """The moves that make the pushes: between them, the player walks to where the next one begins."""
    moves = []
    for cell, way in pushes:
        moves.append(_walk(neighbours, boxes, player, neighbours[cell][search.OPPOSITE[way]]))
        moves.append(WAYS[way].upper())
        boxes = boxes - {cell} | {neighbours[cell][way]}
        player = cell
    return "".join(moves)


def _walk(neighbours: list[list[int]], boxes: set[int], start: int, goal: int) -> str:
    """The shortest walk from one cell to another around the boxes."""
    came: dict[int, tuple[int, str]] = {start: (start, "")}
    queue = deque([start])
    while goal not in came:
        cell = queue.popleft()
        for way, other in zip(WAYS, neighbours[cell], strict=True):
            if other >= 0 and other not in boxes and other not in came:
                came[other] = cell, way
                queue.append(other)
    steps = []
    while goal != start:
        goal, way = came[goal]
        steps.append(way)
    return "".join(reversed(steps))
