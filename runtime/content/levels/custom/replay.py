"""The replay of a custom game, move by move, to verify a solution. It shares no code with the search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.content.levels.custom.game import CustomGame
from runtime.content.levels.rules import TILE, Cell, IllegalMove, Tile, check_rows, find, starts_of

SIDES = {"l": -1, "L": -1, "r": 1, "R": 1}
NOTHING = Tile("", "nothing")


def replay(game: CustomGame, rows: Sequence[str], moves: str) -> bool:
    """Whether `moves` lead from the start to a goal.

    Raises:
        IllegalMove: a move into a solid tile or a hazard, or out of the level; a jump or a climb without support.
        ValueError: rows are no level, as check_rows says.
    """
    return any(game.tiles[rows[y][x]].goal for y, x in _play(game, rows, moves))


def path(game: CustomGame, rows: Sequence[str], moves: str) -> list[tuple[int, int]]:
    """Where the player's middle is, x and y in pixels, before the first of `moves` and after each. Raises as replay."""
    return [(TILE * x + TILE // 2, TILE * y + TILE // 2) for y, x in _play(game, rows, moves)]


def _play(game: CustomGame, rows: Sequence[str], moves: str) -> Iterator[Cell]:
    """Where the player is, before the first move and after each."""
    check_rows(game, rows)
    y, x = find(rows, starts_of(game))[0]
    rising = 0

    def tile(y: int, x: int) -> Tile:
        inside = 0 <= y < len(rows) and 0 <= x < len(rows[0])
        return game.tiles[rows[y][x]] if inside else NOTHING

    yield y, x
    for number, move in enumerate(moves):

        def enter(y: int, x: int, number: int = number, move: str = move) -> Cell:
            into = tile(y, x)
            if into is NOTHING or into.hazard or (into.solid and not into.oneway):
                what = "the level ends" if into is NOTHING else f"{into.name} is in the way"
                raise IllegalMove(f"move {number}, {move!r}: {what} at row {y}, column {x}")
            return y, x

        if move not in game.moves:
            raise IllegalMove(f"move {number}, {move!r}: there are only {', '.join(game.moves)}")
        if game.four_way:
            y, x = enter(y + {"u": -1, "d": 1}.get(move, 0), x + SIDES.get(move, 0))
            yield y, x
            continue
        here, below = tile(y, x), tile(y + 1, x)
        if here.climbable or below.climbable or below.solid or below.oneway:
            rising = game.legend.jump
            falls = False
        else:
            falls = True
        if move in "JLR":
            if not rising:
                raise IllegalMove(f"move {number}, {move!r}: nothing to jump from at row {y}, column {x}")
            rising -= 1
            y, x = enter(y - 1, x)
        elif move == "d":
            if not (here.climbable or below.climbable):
                raise IllegalMove(f"move {number}, {move!r}: nothing to climb at row {y}, column {x}")
            rising = 0
            y, x = enter(y + 1, x)
        else:
            rising = 0
            if falls:
                y, x = enter(y + 1, x)
        if move in SIDES:
            y, x = enter(y, x + SIDES[move])
        yield y, x
