"""The replay of the Lode Runner kind, move by move, to verify a solution. It shares no code with the search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.content.levels.rules import OFFSETS, TILE, IllegalMove, check_rows
from runtime.content.levels.runner.game import HOLE_TICKS, RUNNER

WAYS = {**OFFSETS, ".": (0, 0), "L": OFFSETS["l"], "R": OFFSETS["r"]}  # for digs: of the tile above the brick


def replay(rows: Sequence[str], moves: str) -> bool:
    """Whether `moves` take all gold and then lead to the top row. Guards are ignored.

    Raises:
        IllegalMove: a move into something solid, up without a ladder, any but `.` in a fall, a hole that can't be dug,
            or a hole that closes over the player.
        ValueError: rows are no level, as check_rows says.
    """
    done = False
    for (y, _), gold in _play(rows, moves):
        done = done or (y == 0 and not gold)
    return done


def path(rows: Sequence[str], moves: str) -> list[tuple[int, int]]:
    """Where the player's middle is, x and y in pixels, before the first of `moves` and after each. Raises as replay."""
    return [(TILE * x + TILE // 2, TILE * y + TILE // 2) for (y, x), _ in _play(rows, moves)]


def _play(rows: Sequence[str], moves: str) -> Iterator[tuple[tuple[int, int], set[tuple[int, int]]]]:
    """Where the player is (row, column), and the gold that is left, before the first move and after each."""
    check_rows(RUNNER, rows)
    tiles = {(y, x): char for y, row in enumerate(rows) for x, char in enumerate(row)}
    gold = {at for at, char in tiles.items() if char == "G"}
    holes: dict[tuple[int, int], int] = {}  # and the ticks until they close

    def solid(y: int, x: int) -> bool:
        return tiles.get((y, x), "B") in "bB" and (y, x) not in holes

    def ladder(y: int, x: int) -> bool:
        return tiles.get((y, x)) in (("#",) if gold else ("#", "H"))

    def supported(y: int, x: int) -> bool:
        return ladder(y, x) or tiles[y, x] == "-" or solid(y + 1, x) or ladder(y + 1, x)

    y, x = next(at for at, char in tiles.items() if char == "M")
    yield (y, x), gold
    for number, move in enumerate(moves):

        def refuse(why: str, number: int = number, move: str = move) -> IllegalMove:
            return IllegalMove(f"move {number}, {move!r}: {why}")

        if move not in WAYS:
            raise refuse(f"there are only {', '.join(RUNNER.moves)}")
        dy, dx = WAYS[move]
        at = y + dy, x + dx
        if not supported(y, x):
            if move != ".":
                raise refuse(f"the player falls at row {y}, column {x}")
            y += 1
        elif move in "LR":
            if solid(*at) or ladder(*at) or tiles[at] == "-":
                raise refuse(f"there is no room to dig at row {at[0]}, column {at[1]}")
            brick = y + 1, at[1]
            if tiles.get(brick) != "b" or brick in holes:
                raise refuse(f"there is no brick at row {brick[0]}, column {brick[1]}")
            holes[brick] = HOLE_TICKS + 1
        elif move != ".":
            if solid(*at):
                raise refuse(f"row {at[0]}, column {at[1]} is solid")
            if move == "u" and not ladder(y, x):
                raise refuse(f"there is no ladder at row {y}, column {x}")
            y, x = at
        gold.discard((y, x))
        holes = {hole: left - 1 for hole, left in holes.items() if left > 1}
        if solid(y, x):
            raise refuse(f"the hole at row {y}, column {x} closes over the player")
        yield (y, x), gold
