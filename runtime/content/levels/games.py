"""The table of the games: one line a game. A new game is a folder with a kit, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runtime.content.checks import invalid, one_of
from runtime.content.levels.custom.game import CustomGame, game_of, read_game
from runtime.content.levels.custom.kit import custom_kit
from runtime.content.levels.dungeon.kit import KIT as DUNGEON
from runtime.content.levels.kit import GameKit
from runtime.content.levels.platformer.kit import KIT as PLATFORMER
from runtime.content.levels.requests import FAMILY
from runtime.content.levels.rules import Game
from runtime.content.levels.runner.kit import KIT as RUNNER
from runtime.content.levels.sokoban.kit import KIT as SOKOBAN
from runtime.errors import nearest, shown
from runtime.registry import Registry

KITS: dict[str, GameKit] = {
    kit.rules.name: kit
    for kit in (
        SOKOBAN,
        DUNGEON,
        PLATFORMER,
        RUNNER,
    )
}
GAMES: Mapping[str, Game] = MappingProxyType({name: kit.rules for name, kit in KITS.items()})


def kit_of(game: Game) -> GameKit:
    """The game's kit: the table's, or a custom game's own, made from its legend."""
    return KITS[game.name] if game.legend is None else custom_kit(game_of(game.legend))


def find_game(name: str) -> Game:
    """The game of that name in the table. Raises ValueError with the nearest name there is."""
    if name not in KITS:
        raise ValueError(f"unknown game {shown(name)}{nearest(name, KITS)}")
    return KITS[name].rules


def custom_game(legend: Mapping[str, Any]) -> CustomGame:
    """The game that a legend describes.

    Raises:
        ValueError: a field is missing, unknown or wrong; the message names it.
    """
    return read_game(legend, KITS)


def requested_game(name: str, registry: Registry) -> Game:
    """The game of that name: from the table, or the custom game whose legend the model level-NAME carries.

    Raises:
        RpcError: INVALID_PARAMS with the nearest name there is, or because the model's legend is wrong.
    """
    if name in KITS:
        return KITS[name].rules
    cards = [model.card for model in registry.models.values() if model.card.family == FAMILY]
    legends = {
        card.name.removeprefix("level-"): card.outputs["rows"]["legend"]
        for card in cards
        if "legend" in card.outputs.get("rows", {})
    }
    one_of("game", name, [*KITS, *legends], "unknown game")
    try:
        return custom_game(legends[name])
    except ValueError as error:
        raise invalid("game", f"level-{name}: {error}") from error
