"""The replay of Sokoban, move by move, to verify a solution. It shares no code with the search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.content.levels.rules import OFFSETS, TILE, IllegalMove, check_rows
from runtime.content.levels.sokoban.game import SOKOBAN


def replay(rows: Sequence[str], moves: str) -> bool:
    """Whether `moves` leave a box on every target.

    A lower-case letter walks and a capital pushes (the LURD notation of Sokoban programs); each must be what happens.

    Raises:
        IllegalMove: a walk into a wall or a box, a push with no box or no free floor behind it.
        ValueError: rows are no level, as check_rows says.
    """
    targets = {(y, x) for y, row in enumerate(rows) for x, char in enumerate(row) if char in ".*+"}
    *_, (_, boxes) = _play(rows, moves)
    return targets <= boxes


def path(rows: Sequence[str], moves: str) -> list[tuple[int, int]]:
    """Where the player's middle is, x and y in pixels, before the first of `moves` and after each. Raises as replay."""
    return [(TILE * x + TILE // 2, TILE * y + TILE // 2) for (y, x), _ in _play(rows, moves)]


def _play(rows: Sequence[str], moves: str) -> Iterator[tuple[tuple[int, int], set[tuple[int, int]]]]:
    """Where the player and the boxes are (row, column), before the first move and after each."""
    check_rows(SOKOBAN, rows)
    tiles = {(y, x): char for y, row in enumerate(rows) for x, char in enumerate(row)}
    boxes = {at for at, char in tiles.items() if char in "$*"}
    y, x = next(at for at, char in tiles.items() if char in "@+")
    yield (y, x), boxes
    for number, move in enumerate(moves):
        if move.lower() not in OFFSETS:
            raise IllegalMove(f"move {number}, {move!r}: there are only {', '.join(SOKOBAN.moves)}")
        dy, dx = OFFSETS[move.lower()]
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
        yield (y, x), boxes
