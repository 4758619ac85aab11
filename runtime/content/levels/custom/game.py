"""A custom game: its tiles and moves, from a legend. docs/custom-games.md has the rules.

The model's card carries the legend, so the model file is all that a game needs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import msgspec

from runtime.content.levels.custom.legend import CustomTile, Legend
from runtime.content.levels.rules import FREE, STEPS, Game, Tile

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


@dataclass(frozen=True)
class CustomGame(Game):
    """The game that a legend describes."""

    legend: Legend

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (msgspec.to_builtins(self.legend),)

    @property
    def four_way(self) -> bool:
        """Whether the player moves up, down, left and right, and does not fall."""
        return self.legend.movement == "four-way"


def _unpickled(legend: dict[str, Any]) -> CustomGame:
    return game_of(msgspec.convert(legend, Legend))


def read_game(legend: Mapping[str, Any], reserved: Collection[str]) -> CustomGame:
    """Check a legend and make its game.

    Args:
        legend: as JSON has it.
        reserved: names that a custom game can't have.

    Raises:
        ValueError: a field is missing, unknown or wrong; the message names it.
    """
    try:
        said = msgspec.convert(legend, Legend)
    except msgspec.ValidationError as error:
        raise ValueError(f"legend: {error}") from error
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", said.name) or said.name in reserved:
        raise ValueError(
            f"legend: name {said.name!r} must be small letters, digits and hyphens, and none of: {', '.join(reserved)}"
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
    if not _plain(said):
        raise ValueError("legend: one tile must be nothing but a name: the empty one, such as air or floor")
    return game_of(said)


def game_of(legend: Legend) -> CustomGame:
    """The game of a legend that read_game has checked."""
    tiles = {
        char: Tile(char, **{key: value for key, value in msgspec.structs.asdict(tile).items() if key != "count"})
        for char, tile in legend.tiles.items()
    }
    moves = STEPS if legend.movement == "four-way" else WALK
    return CustomGame(legend.name, MappingProxyType(tiles), _plain(legend)[0], moves, BUDGET, legend)


def _plain(legend: Legend) -> list[str]:
    """The tiles that have no property; the first is the empty one."""
    return [char for char, tile in legend.tiles.items() if tile == CustomTile(tile.name, count=tile.count)]


def with_free_tiles(game: CustomGame) -> CustomGame:
    """The same game where a free tile is as helpful as a tile can be: open, climbable, and a goal."""
    tiles = {**game.tiles, FREE: Tile(FREE, "free", climbable=True, goal=True)}
    return replace(game, tiles=MappingProxyType(tiles))


def counted(game: CustomGame) -> dict[str, str]:
    """The characters of each count; starts and goals are always counted."""
    kinds: dict[str, str] = {}
    for char, tile in game.legend.tiles.items():
        name = tile.count or ("starts" if tile.start else "goals" if tile.goal else "")
        if name:
            kinds[name] = kinds.get(name, "") + char
    return kinds
