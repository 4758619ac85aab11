"""What each game's tiles look like. Own drawings, CC0: use them for anything."""

from __future__ import annotations

from pcg.writers import tile_shapes as s
from pcg.writers.pixels import Canvas, Colour, shade
from pcg.writers.tile_shapes import Drawing, over
from runtime.content.levels.rules import Tile

SAND, FLAGSTONE, CLAY = (222, 208, 176), (86, 80, 96), (178, 84, 58)
BACKGROUNDS = {"platformer": (148, 204, 240), "runner": (24, 22, 36), "sokoban": SAND, "dungeon": (18, 16, 26)}

SOKOBAN: dict[str, Drawing] = {
    " ": s.floor(SAND),
    "#": s.bricks((146, 96, 92)),
    ".": over(s.floor(SAND), s.target),
    "$": s.box(s.WOOD, shade(s.WOOD, 80)),
    "*": over(s.floor(SAND), s.box(s.GRASS, s.LEAF)),
    "@": s.figure(s.BLUE),
    "+": over(over(s.floor(SAND), s.target), s.figure(s.BLUE)),
}
DUNGEON: dict[str, Drawing] = {
    ".": s.floor(FLAGSTONE),
    "-": s.nothing,
    "#": s.bricks(s.STONE),
    "T": over(s.floor(FLAGSTONE), s.tree),
    "0": over(s.floor(FLAGSTONE), s.boulder),
    "+": over(s.floor(FLAGSTONE), s.door(s.WOOD)),
    "D": over(s.floor(FLAGSTONE), s.door(shade(s.EARTH, 80), lock=True)),
    "k": s.key,
    "~": s.waves(s.WATER),
    "L": s.waves(s.FIRE),
    "^": over(s.floor(FLAGSTONE), s.spikes),
    "M": s.creature((120, 170, 70)),
    "i": s.bottle,
    "f": over(s.floor(FLAGSTONE), s.pillar),
    "@": over(s.floor(FLAGSTONE), s.arch),
    "<": s.stairs(up=True),
    ">": s.stairs(up=False),
}
PLATFORMER: dict[str, Drawing] = {
    ".": s.nothing,
    "#": s.ground(s.EARTH),
    "/": s.slope(rising=True),
    "\\": s.slope(rising=False),
    "=": s.plank(s.GRASS, s.LEAF),
    "B": s.bricks((190, 104, 66)),
    "?": s.sign(s.GOLD, s.QUESTION, s.EARTH),
    "u": s.sign((186, 176, 160), s.CRACK, s.NIGHT),
    "m": s.plank(s.STONE, s.NIGHT),
    "t": s.spring,
    "r": s.boulder,
    "o": s.coin(s.GOLD),
    "p": s.mushroom,
    "^": s.spikes,
    "L": s.waves(s.FIRE),
    "x": s.flame,
    "~": s.waves(s.WATER),
    "H": s.ladder(s.LEAF),
    "e": s.creature(s.RED),
    "f": s.creature(s.PURPLE, wings=True),
    "k": s.creature(s.NIGHT, spikes=True),
    "D": s.door(s.WOOD),
    "C": s.pole,
    "S": s.figure(s.RED),
    "G": s.flag,
}
RUNNER: dict[str, Drawing] = {
    ".": s.nothing,
    "b": s.bricks(CLAY),
    "B": s.block(s.STONE),
    "#": s.ladder(s.PAPER),
    "-": s.rope,
    "G": s.nuggets,
    "E": s.creature(s.TEAL),
    "M": s.figure(s.BLUE),
    "H": s.ladder(shade(s.PAPER, 50), hidden=True),
    "F": over(s.bricks(CLAY), lambda c: c.mask(s.CRACK, 5, 4, {"x": s.NIGHT})),
}
DRAWINGS = {"sokoban": SOKOBAN, "dungeon": DUNGEON, "platformer": PLATFORMER, "runner": RUNNER}


def draw(game: str, tile: Tile) -> Canvas:
    """One tile; one that nobody has drawn is shown by what it does."""
    return DRAWINGS.get(game, {}).get(tile.char, _by_what_it_does(tile))(Canvas())


def background(game: str) -> Colour:
    """What shows through where a tile is transparent."""
    return BACKGROUNDS.get(game, BACKGROUNDS["platformer"])


def _by_what_it_does(tile: Tile) -> Drawing:
    drawings = (
        (tile.start, s.figure(s.BLUE)),
        (tile.goal, s.flag),
        (tile.enemy, s.creature(s.RED)),
        (tile.hazard, s.spikes),
        (tile.collectible, s.coin(s.GOLD)),
        (tile.pushable, s.box(s.WOOD, s.EARTH)),
        (tile.oneway, s.plank(s.WOOD, s.EARTH)),
        (tile.diggable, s.bricks(s.EARTH)),
        (tile.solid, s.block(s.STONE)),
    )
    return next((drawing for does, drawing in drawings if does), s.nothing)
