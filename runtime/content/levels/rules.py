"""The tile games: what each one's tiles are, how its moves are written, and what a solver answers.

Each game has modules beside this one. GAME.py searches: `solve(rows, budget)` gives an Outcome. GAME_replay.py plays
given moves by the rules, and shares no code with the search: `replay(rows, moves)` is True where they complete the
level, False where they end before, and raises IllegalMove. GAME_repair.py makes small edits, so that a level that was
generated can be completed. docs/levels.md has the rules in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

from runtime.errors import nearest, shown

LARGEST_SIDE, MOST_TILES = 4096, 1 << 19  # a level is held and searched whole
TILE = 16  # pixels a side, wherever a place is given in pixels
FREE = "_"  # in requests, a tile that the model is free to choose; no game has such a tile
Cell = tuple[int, int]  # row, column


@dataclass(frozen=True)
class Tile:
    """What a character stands for. `solid` can't be walked into, `hazard` hurts or kills whoever touches it."""

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
    """One game's alphabet.

    `tiles` by character; `empty` is the tile where nothing is; `moves` says what each letter of a solution does;
    `budget` is how many nodes a solver looks at if it isn't told.
    """

    name: str
    tiles: Mapping[str, Tile]
    empty: str
    moves: Mapping[str, str]
    budget: int

    def __reduce__(self) -> tuple[Callable[[str], Game], tuple[str]]:
        return find_game, (self.name,)  # the one that there is, in another process too


@dataclass(frozen=True)
class Outcome:
    """What a solver found out.

    `solved`: `moves` completes the level. `unsolvable`: proved by a search that allows more than the rules do, `why`
    says which. `unknown`: the budget ran out. `nodes`: how many were looked at.
    """

    status: Literal["solved", "unsolvable", "unknown"]
    moves: str
    nodes: int
    why: str


State = TypeVar("State")


def traced(came: Mapping[State, tuple[State, str]], state: State) -> str:
    """The moves of a search from its start, which came from itself, to a state."""
    moves = []
    while came[state][0] != state:
        state, move = came[state]
        moves.append(move)
    return "".join(reversed(moves))


Prove = Callable[[Sequence[str]], Outcome]  # a solver with its budget, as GAME_repair.py takes it


class IllegalMove(ValueError):
    """A move that the rules don't allow, with its place in the moves."""


def _alphabet(*tiles: Tile) -> Mapping[str, Tile]:
    return MappingProxyType({tile.char: tile for tile in tiles})


STEPS = MappingProxyType({"u": "up", "d": "down", "l": "left", "r": "right"})
OFFSETS = MappingProxyType({"u": (-1, 0), "d": (1, 0), "l": (0, -1), "r": (0, 1)})  # of a step: rows, columns

SOKOBAN = Game(
    name="sokoban",
    tiles=_alphabet(
        Tile(" ", "floor"),
        Tile("#", "wall", solid=True),
        Tile(".", "target", goal=True),
        Tile("$", "box", solid=True, pushable=True),
        Tile("*", "box on a target", solid=True, pushable=True, goal=True),
        Tile("@", "player", start=True),
        Tile("+", "player on a target", start=True, goal=True),
    ),
    empty=" ",
    moves=MappingProxyType({**STEPS, **{c.upper(): f"push {way}" for c, way in STEPS.items()}}),
    budget=200_000,
)

DUNGEON = Game(
    name="dungeon",
    tiles=_alphabet(
        Tile(".", "floor"),
        Tile("-", "void", solid=True),
        Tile("#", "wall", solid=True),
        Tile("T", "tree or statue", solid=True),
        Tile("0", "boulder", solid=True),
        Tile("+", "door"),
        Tile("D", "locked door"),
        Tile("k", "key", collectible=True),
        Tile("~", "water"),
        Tile("L", "lava", hazard=True),
        Tile("^", "trap", hazard=True),
        Tile("M", "monster", hazard=True, enemy=True),
        Tile("i", "item", collectible=True),
        Tile("f", "feature"),
        Tile("@", "entrance"),
        Tile("<", "stairs up", start=True),
        Tile(">", "stairs down", goal=True),
    ),
    empty=".",
    moves=STEPS,
    budget=2_000_000,
)

PLATFORMER = Game(
    name="platformer",
    tiles=_alphabet(
        Tile(".", "air"),
        Tile("#", "ground", solid=True),
        Tile("/", "slope rising to the right", solid=True),
        Tile("\\", "slope falling to the right", solid=True),
        Tile("=", "one-way platform", solid=True, oneway=True),
        Tile("B", "brick", solid=True),
        Tile("?", "bonus block", solid=True),
        Tile("u", "weak block", solid=True),
        Tile("m", "moving platform", solid=True, oneway=True),
        Tile("t", "trampoline", solid=True),
        Tile("r", "rock", solid=True),
        Tile("o", "coin", collectible=True),
        Tile("p", "power-up", collectible=True),
        Tile("^", "spikes", hazard=True),
        Tile("L", "lava", hazard=True),
        Tile("x", "trap", hazard=True),
        Tile("~", "water"),
        Tile("H", "climbable", climbable=True),
        Tile("e", "walking enemy", hazard=True, enemy=True),
        Tile("f", "flying enemy", hazard=True, enemy=True),
        Tile("k", "enemy that cannot be stomped", hazard=True, enemy=True),
        Tile("D", "door"),
        Tile("C", "checkpoint"),
        Tile("S", "start", start=True),
        Tile("G", "goal", goal=True),
    ),
    empty=".",
    moves=MappingProxyType(
        {
            ".": "nothing, for a tick",
            "r": "run right",
            "l": "run left",
            "J": "jump, or hold it",
            "R": "run right and jump",
            "L": "run left and jump",
        }
    ),
    budget=300_000,
)

HOLE_TICKS = 30  # a hole that a runner digs is open for so many ticks after the dig

RUNNER = Game(
    name="runner",
    tiles=_alphabet(
        Tile(".", "air"),
        Tile("b", "brick", solid=True, diggable=True),
        Tile("B", "stone", solid=True),
        Tile("F", "false brick"),
        Tile("#", "ladder", climbable=True),
        Tile("H", "hidden ladder"),
        Tile("-", "rope"),
        Tile("G", "gold", collectible=True),
        Tile("E", "guard", hazard=True, enemy=True),
        Tile("M", "player", start=True),
    ),
    empty=".",
    moves=MappingProxyType({**STEPS, ".": "wait, or fall", "L": "dig down left", "R": "dig down right"}),
    budget=500_000,
)

GAMES: Mapping[str, Game] = MappingProxyType({game.name: game for game in (SOKOBAN, DUNGEON, PLATFORMER, RUNNER)})


def find_game(name: str) -> Game:
    """The game of that name. Raises ValueError with the nearest name there is."""
    if name not in GAMES:
        raise ValueError(f"unknown game {shown(name)}{nearest(name, GAMES)}")
    return GAMES[name]


def check_rows(game: Game, rows: Sequence[str]) -> None:
    """See that rows are a level of the game: a rectangle of its tiles with one start and, if it has such, a goal.

    Raises:
        ValueError: as check_tiles; or saying how many starts or goals there are.
    """
    check_tiles(game, rows)
    starts = find(rows, starts_of(game))
    if len(starts) != 1:
        raise ValueError(f"{game.name} has one start ({_either(starts_of(game))}); this level has {len(starts)}")
    if goals_of(game) and not find(rows, goals_of(game)):
        raise ValueError(f"the level has no goal ({_either(goals_of(game))})")


def check_tiles(game: Game, rows: Sequence[str]) -> None:
    """See that rows are a rectangle of the game's tiles.

    Raises:
        ValueError: naming the row, column (from 0) and tile that is wrong.
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
    """The characters a player starts on."""
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
    """The rows with other tiles in some places.

    >>> put(["#.@", ".##"], {(0, 1): ">", (1, 0): "#"})
    ['#>@', '###']
    """
    changed = [list(row) for row in rows]
    for (y, x), char in tiles.items():
        changed[y][x] = char
    return ["".join(row) for row in changed]
