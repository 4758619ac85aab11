"""The replay of the dungeon, step by step, to verify a solution. It shares no code with the search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.rules import OFFSETS, TILE, IllegalMove, check_rows, find


def replay(rows: Sequence[str], moves: str) -> bool:
    """Whether `moves` lead from the stairs up to stairs down.

    Raises:
        IllegalMove: a step out of the level, into something solid, into lava, or into a locked door without a key.
        ValueError: rows are no level, as check_rows says.
    """
    y, x = list(_walk(rows, moves))[-1]
    return rows[y][x] == ">"


def path(rows: Sequence[str], moves: str) -> list[tuple[int, int]]:
    """Where the player's middle is, x and y in pixels, before the first of `moves` and after each. Raises as replay."""
    return [(TILE * x + TILE // 2, TILE * y + TILE // 2) for y, x in _walk(rows, moves)]


def _walk(rows: Sequence[str], moves: str) -> Iterator[tuple[int, int]]:
    """Where the player is (row, column), before the first move and after each."""
    check_rows(DUNGEON, rows)
    y, x = find(rows, "<")[0]
    has_key = False
    yield y, x
    for number, move in enumerate(moves):
        if move not in OFFSETS:
            raise IllegalMove(f"move {number}, {move!r}: there are only {', '.join(OFFSETS)}")
        y, x = y + OFFSETS[move][0], x + OFFSETS[move][1]
        if not (0 <= y < len(rows) and 0 <= x < len(rows[0])):
            raise IllegalMove(f"move {number}, {move!r}: out of the level at row {y}, column {x}")
        tile = DUNGEON.tiles[rows[y][x]]
        if tile.solid or tile.char == "L" or (tile.char == "D" and not has_key):
            raise IllegalMove(f"move {number}, {move!r}: {tile.name} is in the way at row {y}, column {x}")
        has_key = has_key or tile.char == "k"
        yield y, x
