"""Sokoban played move by move, to verify a solution. It shares no code with the search."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.content.levels.rules import SOKOBAN, IllegalMove, check_rows

WAYS = {"u": (-1, 0), "d": (1, 0), "l": (0, -1), "r": (0, 1)}


def replay(rows: Sequence[str], moves: str) -> bool:
    """Whether `moves` leave a box on every target.

    A lower-case letter walks and a capital pushes (the LURD notation of Sokoban programs); each must be what happens.

    Raises:
        IllegalMove: a walk into a wall or a box, a push with no box or no free floor behind it.
        ValueError: rows are no level, as check_rows says.
    """
    check_rows(SOKOBAN, rows)
    tiles = {(y, x): char for y, row in enumerate(rows) for x, char in enumerate(row)}
    boxes = {at for at, char in tiles.items() if char in "$*"}
    targets = {at for at, char in tiles.items() if char in ".*+"}
    y, x = next(at for at, char in tiles.items() if char in "@+")
    for number, move in enumerate(moves):
        if move.lower() not in WAYS:
            raise IllegalMove(f"move {number}, {move!r}: there are only {', '.join(SOKOBAN.moves)}")
        dy, dx = WAYS[move.lower()]
        ahead, behind = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
        if tiles.get(ahead, "#") == "#":
            raise IllegalMove(f"move {number}, {move!r}: a wall is in the way at row {ahead[0]}, column {ahead[1]}")
        if (ahead in boxes) != move.isupper():
            there = "a box is in the way" if ahead in boxes else "there is no box to push"
            raise IllegalMove(f"move {number}, {move!r}: {there} at row {ahead[0]}, column {ahead[1]}")
        if ahead in boxes:
            if tiles.get(behind, "#") == "#" or behind in boxes:
                raise IllegalMove(f"move {number}, {move!r}: the box at row {ahead[0]}, column {ahead[1]} is blocked")
            boxes.remove(ahead)
            boxes.add(behind)
        y, x = ahead
    return targets <= boxes
