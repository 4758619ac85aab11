"""The tiles and moves of the Lode Runner kind."""

from __future__ import annotations

from types import MappingProxyType

from runtime.content.levels.rules import STEPS, Game, Tile, alphabet

HOLE_TICKS = 30  # a hole that a runner digs is open for so many ticks after the dig

RUNNER = Game(
    name="runner",
    tiles=alphabet(
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
