"""A user's own game: what a legend says of its tiles and of how one moves. docs/own-games.md has the rules.

A model of such a game carries its legend in its card, so whoever has the model file knows the game.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec

from runtime.content.levels.rules import FREE, GAMES, STEPS, Game, Tile

BUDGET = 200_000
WALK = MappingProxyType(
    {
        ".": "wait, or fall",
        "l": "left",
        "r": "right",
        "J": "jump, or rise on",
        "L": "jump, or rise on, to the left",
        "R": "jump, or rise on, to the right",
        "d": "climb down",
    }
)


class OwnTile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a legend says of a character. `count`: the name that its tiles are counted under."""

    name: str
    solid: bool = False
    hazard: bool = False
    oneway: bool = False
    climbable: bool = False
    start: bool = False
    goal: bool = False
    enemy: bool = False
    collectible: bool = False
    count: str = ""


class Legend(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A game as its maker describes it.

    `jump`: tiles that a jump rises, where one walks. `order`: what the model writes one after the other. `mirror`:
    which images of a level are levels as good. Training fills in the rest: `goals`, how many each level has, 0 where
    that differs; `tenths`, the labour of the levels trained on, from the least to the most; `lengths`, the least length
    of their solutions and the first tenth (runtime/content/levels/length.py); `start_area` and `goal_area`, where eight
    of ten starts and goals stand: left, top, right and bottom, in hundredths of the way from a level's first column or
    row to its last. Each of these is empty in model files from before it was learned.
    """

    movement: Literal["walk", "four-way"]
    tiles: dict[str, OwnTile]
    name: str = "custom"
    jump: Annotated[int, msgspec.Meta(ge=0, le=32)] = 4
    order: Literal["rows", "columns"] = "rows"
    mirror: Literal["none", "sideways", "all"] = "none"
    licence: str = "not stated"
    goals: int = 0
    tenths: list[int] = []
    lengths: list[int] = []
    start_area: list[int] = []
    goal_area: list[int] = []


@dataclass(frozen=True)
class OwnGame(Game):
    """The game of a legend."""

    legend: Legend

    def __reduce__(self) -> tuple[Any, ...]:
        return own_game, (msgspec.to_builtins(self.legend),)

    @property
    def four_way(self) -> bool:
        """Whether one moves up, down, left and right, rather than walks and falls."""
        return self.legend.movement == "four-way"


def own_game(legend: Mapping[str, Any]) -> OwnGame:
    """The game that a legend describes.

    Raises:
        ValueError: it lacks something, or says what is not known; the message names it.
    """
    try:
        said = msgspec.convert(legend, Legend)
    except msgspec.ValidationError as error:
        raise ValueError(f"legend: {error}") from error
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", said.name) or said.name in GAMES:
        raise ValueError(
            f"legend: name {said.name!r} must be small letters, digits and hyphens, and none of: {', '.join(GAMES)}"
        )
    for char, tile in said.tiles.items():
        if len(char) != 1 or not char.isprintable() or char == FREE:
            raise ValueError(f"legend: tile {char!r} must be one character that is printed, and not {FREE!r}")
        if (tile.start or tile.goal) and (tile.solid or tile.hazard):
            raise ValueError(f"legend: tile {char!r} is a start or goal, so it can't be solid or a hazard")
    for what in ("start", "goal"):
        if sum(getattr(tile, what) for tile in said.tiles.values()) != 1:
            raise ValueError(f"legend: exactly one tile must be a {what}")
    if said.mirror == "all" and said.movement == "walk":
        raise ValueError("legend: mirror 'all' also turns levels, and one who walks falls; 'sideways' would do")
    plain = [char for char, tile in said.tiles.items() if tile == OwnTile(tile.name, count=tile.count)]
    if not plain:
        raise ValueError("legend: one tile must be nothing but a name: the empty one, such as air or floor")
    tiles = {
        char: Tile(char, **{key: value for key, value in msgspec.structs.asdict(tile).items() if key != "count"})
        for char, tile in said.tiles.items()
    }
    return OwnGame(
        said.name, MappingProxyType(tiles), plain[0], STEPS if said.movement == "four-way" else WALK, BUDGET, said
    )


def with_free_tiles(game: OwnGame) -> OwnGame:
    """The same game with free tiles that are whatever helps: open, climbed, and a goal."""
    tiles = {**game.tiles, FREE: Tile(FREE, "free", climbable=True, goal=True)}
    return replace(game, tiles=MappingProxyType(tiles))


def counted(game: OwnGame) -> dict[str, str]:
    """The characters of each counted kind; starts and goals are always counted."""
    kinds: dict[str, str] = {}
    for char, tile in game.legend.tiles.items():
        name = tile.count or ("starts" if tile.start else "goals" if tile.goal else "")
        if name:
            kinds[name] = kinds.get(name, "") + char
    return kinds
