"""A platformer level for the rules: its tiles and what is beyond its borders, slopes, and the paths of enemies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.content.levels.platformer.physics import FLYERS, HOVER, ONE_WAY, PATROL, SLOPES, SOLID, STOMPABLE, WALKERS
from runtime.content.levels.rules import TILE


@dataclass(frozen=True)
class Enemy:
    """An enemy's way: to and fro between `low` and `high` along one axis, in pixels, at first towards `low`.

    The places are those of its tile's left edge, if it `walks`, or of its tile's top, if it flies. `across` is its
    place on the other axis, which doesn't change.
    """

    walks: bool
    stompable: bool
    across: int
    low: int
    high: int
    start: int

    def at(self, tick: int) -> tuple[int, int]:
        """The left and top pixel of its tile after so many ticks."""
        along, span = self.start, self.high - self.low
        if span:
            travelled = (self.high - self.start + (PATROL if self.walks else HOVER) * tick) % (2 * span)
            along = self.high - travelled if travelled <= span else self.low + travelled - span
        return (along, self.across) if self.walks else (self.across, along)


@dataclass(frozen=True)
class Level:
    """The rows of a level, top to bottom, and the ways of its enemies, in row-major order of their tiles."""

    rows: Sequence[str]
    enemies: tuple[Enemy, ...] = ()

    def tile(self, column: int, row: int) -> str:
        """A tile; the sides are walls, the first row's solid tiles go on above it, and nothing is below the last."""
        if not 0 <= column < len(self.rows[0]):
            return "#"
        if row < 0:
            return "#" if self.rows[0][column] in SOLID else "."
        return self.rows[row][column] if row < len(self.rows) else "."

    def places(self, chars: str) -> Iterator[tuple[int, int]]:
        """The (row, column) of each tile that is one of `chars`, row by row."""
        return ((y, x) for y, row in enumerate(self.rows) for x, char in enumerate(row) if char in chars)


def read_level(rows: Sequence[str]) -> Level:
    """The level of rows that rules.check_rows accepts."""
    level = Level(rows)
    ways = [enemy_way(level, row, column) for row, column in level.places(WALKERS + FLYERS)]
    return Level(rows, tuple(way for way in ways if way))


def surface(level: Level, x: int, row: int) -> int | None:
    """The surface (y) of the slope at x in a row; None if there is none. A run of n tiles in a row rises by one tile.

    A tile's height at its ends is rounded down, and so is that of each column of pixels between them.
    """
    column = x // TILE
    char = level.tile(column, row)
    if char not in SLOPES:
        return None
    first = last = column
    while level.tile(first - 1, row) == char:
        first -= 1
    while level.tile(last + 1, row) == char:
        last += 1
    run = last - first + 1
    left, right = (column - first, column - first + 1) if char == "/" else (last - column + 1, last - column)
    left, right = TILE * left // run, TILE * right // run  # heights over the bottom of the tile
    return TILE * (row + 1) - left - (right - left) * (x % TILE) // TILE


def enemy_way(level: Level, row: int, column: int) -> Enemy | None:
    """The way of the enemy that starts at (row, column); None for a walker under whom there is no floor."""
    char = level.tile(column, row)
    stompable = char in STOMPABLE
    if char in FLYERS:  # a tile up and a tile down, where that is not solid
        top, bottom = (end if level.tile(column, end) not in SOLID else row for end in (row - 1, row + 1))
        return Enemy(False, stompable, TILE * column, TILE * top, TILE * bottom, TILE * row)

    def floor(column: int, row: int) -> bool:
        return level.tile(column, row) in SOLID + ONE_WAY + SLOPES

    def free(column: int) -> bool:
        return level.tile(column, row) not in SOLID + SLOPES and floor(column, row + 1)

    while not floor(column, row + 1):  # it starts on the first floor below its tile
        row += 1
        if row >= len(level.rows):
            return None
    left = right = column
    while free(left - 1):
        left -= 1
    while free(right + 1):
        right += 1
    return Enemy(True, stompable, TILE * row, TILE * left, TILE * right, TILE * column)
