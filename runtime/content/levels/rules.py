"""What the tile games share: tiles, a game's alphabet and moves, a solver's outcome, and checks of a level's rows.

docs/levels.md has each game's rules in words; a folder beside this file has each game's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeVar

LARGEST_SIDE, MOST_TILES = 4096, 1 << 19  # a level is stored and searched as a whole
TILE = 16  # pixels a side, wherever a place is given in pixels
FREE = "_"  # in requests, a tile that the model chooses; no game has this tile
Cell = tuple[int, int]  # row, column


@dataclass(frozen=True)
class Tile:
    """What a character stands for. A `solid` tile can't be entered, a `hazard` hurts or kills who touches it."""

    char: str
    name: str
    solid: bool = False
    hazard: bool = False
    enemy: bool = False
    collectible: bool = False
    start: bool = False
    goal: bool = False
    pushable: bool = False
    diggable: bool = False
    oneway: bool = False
    climbable: bool = False


@dataclass(frozen=True)
class Game:
    """One game's tiles and moves.

    `tiles`: by character; `empty`: the tile that stands for nothing; `moves`: what each letter of a solution does;
    `budget`: the nodes that a solver searches by default; `legend`: a custom game's description, None for the others.
    A game is identified by its name and its legend.
    """

    name: str
    tiles: Mapping[str, Tile]
    empty: str
    moves: Mapping[str, str]
    budget: int
    legend: Any = None  # a Legend of runtime.content.levels.custom, of which the rules know nothing

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy can't be pickled, so the copy in another process makes its own.
        return _unpickled, (self.name, dict(self.tiles), self.empty, dict(self.moves), self.budget)


def _unpickled(name: str, tiles: dict[str, Tile], empty: str, moves: dict[str, str], budget: int) -> Game:
    return Game(name, MappingProxyType(tiles), empty, MappingProxyType(moves), budget)


@dataclass(frozen=True)
class Outcome:
    """A solver's result.

    `solved`: `moves` complete the level. `unsolvable`: proved by a search that allows at least what the rules allow;
    `why` names it. `unknown`: the budget ran out. `nodes`: how many nodes were searched.
    """

    status: Literal["solved", "unsolvable", "unknown"]
    moves: str
    nodes: int
    why: str


State = TypeVar("State")


def traced(came: Mapping[State, tuple[State, str]], state: State) -> str:
    """The moves from a search's start to a state. `came`: each state's predecessor and move; the start is its own."""
    moves = []
    while came[state][0] != state:
        state, move = came[state]
        moves.append(move)
    return "".join(reversed(moves))


Prove = Callable[[Sequence[str]], Outcome]  # a solver with its budget, as a repair takes it


class IllegalMove(ValueError):
    """A move that the rules don't allow. The message has its index."""


def alphabet(*tiles: Tile) -> Mapping[str, Tile]:
    """The tiles by character."""
    return MappingProxyType({tile.char: tile for tile in tiles})


STEPS = MappingProxyType({"u": "up", "d": "down", "l": "left", "r": "right"})
OFFSETS = MappingProxyType({"u": (-1, 0), "d": (1, 0), "l": (0, -1), "r": (0, 1)})  # of a step: rows, columns


def check_rows(game: Game, rows: Sequence[str]) -> None:
    """Check that rows are a level: a rectangle of the game's tiles with one start and, if the game has goals, a goal.

    Raises:
        ValueError: as check_tiles; or the message says how many starts or goals there are.
    """
    check_tiles(game, rows)
    starts = find(rows, starts_of(game))
    if len(starts) != 1:
        raise ValueError(f"{game.name} has one start ({_either(starts_of(game))}); this level has {len(starts)}")
    if goals_of(game) and not find(rows, goals_of(game)):
        raise ValueError(f"the level has no goal ({_either(goals_of(game))})")


def check_tiles(game: Game, rows: Sequence[str]) -> None:
    """Check that rows are a rectangle of the game's tiles.

    Raises:
        ValueError: the message names the row, the column (from 0) and the wrong tile.
    """
    if not rows or not rows[0]:
        raise ValueError("a level has at least one row of one tile")
    width = len(rows[0])
    if max(width, len(rows)) > LARGEST_SIDE or width * len(rows) > MOST_TILES:
        most = f"a side has up to {LARGEST_SIDE}, the whole {MOST_TILES}"
        raise ValueError(f"a level of {width}x{len(rows)} tiles is too large; {most}")
    for y, row in enumerate(rows):
        if len(row) != width:
            raise ValueError(f"row {y} has {len(row)} tiles, row 0 has {width}; all rows of a level are as long")
        if not game.tiles.keys() >= set(row):
            x, char = next((x, char) for x, char in enumerate(row) if char not in game.tiles)
            raise ValueError(
                f"row {y}, column {x}: {char!r} is no tile of {game.name}; there are: {''.join(game.tiles)!r}"
            )


def _either(chars: Iterable[str]) -> str:
    return " or ".join(repr(c) for c in chars)


def starts_of(game: Game) -> str:
    """The characters that a player starts on."""
    return "".join(tile.char for tile in game.tiles.values() if tile.start)


def goals_of(game: Game) -> str:
    """The characters that are a goal."""
    return "".join(tile.char for tile in game.tiles.values() if tile.goal)


def find(rows: Sequence[str], chars: str) -> list[Cell]:
    """The (row, column) of every tile that is one of `chars`, row by row.

    >>> find(["#.@", ".##"], ".")
    [(0, 1), (1, 0)]
    """
    return [(y, x) for y, row in enumerate(rows) for x, char in enumerate(row) if char in chars]


def put(rows: Sequence[str], tiles: Mapping[Cell, str]) -> list[str]:
    """A copy of the rows with other tiles in some places.

    >>> put(["#.@", ".##"], {(0, 1): ">", (1, 0): "#"})
    ['#>@', '###']
    """
    changed = [list(row) for row in rows]
    for (y, x), char in tiles.items():
        changed[y][x] = char
    return ["".join(row) for row in changed]
