"""A level split as editors and engines need it: the ground, which stays, and the objects that stand on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runtime.content.levels.rules import Game, Tile, find, goals_of

KINDS = {
    "start": "start",
    "enemies": "enemy",
    "boxes": "pushable",
    "items": "collectible",
}  # by the property of their tiles


@dataclass(frozen=True)
class Actor:
    """Something that stands on the ground: its kind in KINDS, its tile's character, its column and row."""

    kind: str
    char: str
    column: int
    row: int


@dataclass(frozen=True)
class Area:
    """A rectangle of tiles."""

    column: int
    row: int
    width: int
    height: int


def kind_of(tile: Tile) -> str | None:
    """The kind of actor that a tile stands for, or None for ground."""
    return next((kind for kind, is_one in KINDS.items() if getattr(tile, is_one)), None)


def take_apart(game: Game, rows: Sequence[str]) -> tuple[list[str], list[Actor]]:
    """Split a level into its ground and its actors, row by row. The ground below an actor is a goal or empty.

    A tile that is both (a box on a target) becomes the plain goal and the plain actor.
    """
    below = {char: char for char in game.tiles}
    actors: dict[str, tuple[str, str]] = {}
    tiles = game.tiles.values()
    goal = next((tile.char for tile in tiles if tile.goal and kind_of(tile) is None), None)
    for char, tile in game.tiles.items():
        if (kind := kind_of(tile)) is None:
            continue
        plain = next((t.char for t in tiles if kind_of(t) == kind and not t.goal), None)
        if tile.goal and goal and plain:
            below[char], actors[char] = goal, (kind, plain)
        else:
            below[char], actors[char] = game.empty, (kind, char)
    ground = ["".join(below[char] for char in row) for row in rows]
    return ground, [Actor(*actors[rows[y][x]], x, y) for y, x in find(rows, "".join(actors))]


def put_together(game: Game, ground: Sequence[str], actors: Iterable[Actor]) -> list[str]:
    """Join ground and actors to a level. A tile that is both a goal and an actor stands for both.

    Raises:
        ValueError: an actor is outside, in a solid tile, on another actor, or on a goal without a tile for both.
    """
    tiles = [list(row) for row in ground]
    taken: set[tuple[int, int]] = set()
    for actor in actors:
        where = f"{game.tiles[actor.char].name} at row {actor.row}, column {actor.column}"
        if not (0 <= actor.row < len(tiles) and 0 <= actor.column < len(tiles[0])):
            raise ValueError(f"the {where} is outside the level")
        if (actor.row, actor.column) in taken:
            raise ValueError(f"the {where} stands on another object")
        taken.add((actor.row, actor.column))
        below = game.tiles[tiles[actor.row][actor.column]]
        if below.solid:
            raise ValueError(f"the {where} stands in {below.name}")
        char = actor.char
        if below.goal and not game.tiles[char].goal:
            both = [t.char for t in game.tiles.values() if t.goal and kind_of(t) == actor.kind]
            if not both:
                raise ValueError(f"the {where} stands on {below.name}; {game.name} has no tile for both")
            char = both[0]
        tiles[actor.row][actor.column] = char
    return ["".join(row) for row in tiles]


def goal_areas(game: Game, rows: Sequence[str]) -> list[Area]:
    """The goals as areas; goals one below the other are one area."""
    goals = set(find(rows, goals_of(game)))
    areas = []
    for y, x in sorted(goals, key=lambda goal: (goal[1], goal[0])):
        if (y - 1, x) not in goals:
            height = next(n for n in range(1, len(rows) + 1) if (y + n, x) not in goals)
            areas.append(Area(x, y, 1, height))
    return areas


def corners(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The points of a path's line: its two ends and where it turns. Places where it waits are left out."""
    moved = [place for i, place in enumerate(places) if i == 0 or place != places[i - 1]]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(moved)]
    return [place for i, place in enumerate(moved) if i in (0, len(steps)) or steps[i - 1] != steps[i]]
