"""Sokoban's tiles and moves."""

from __future__ import annotations

from types import MappingProxyType

from runtime.content.levels.rules import STEPS, Game, Tile, alphabet

SOKOBAN = Game(
    name="sokoban",
    tiles=alphabet(
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
