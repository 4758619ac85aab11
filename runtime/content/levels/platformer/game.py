"""The platformer's tiles and moves."""

from __future__ import annotations

from types import MappingProxyType

from runtime.content.levels.rules import Game, Tile, alphabet

PLATFORMER = Game(
    name="platformer",
    tiles=alphabet(
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
