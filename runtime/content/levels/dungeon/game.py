"""The dungeon's tiles and moves."""

from __future__ import annotations

from runtime.content.levels.rules import STEPS, Game, Tile, alphabet

DUNGEON = Game(
    name="dungeon",
    tiles=alphabet(
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
