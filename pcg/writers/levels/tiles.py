"""How the tiles of each game are drawn. The drawings are ours and CC0: use them for anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pcg.writers.levels import tile_shapes as s
from pcg.writers.levels.pixels import Canvas, Colour, shade
from pcg.writers.levels.tile_shapes import Drawing, over
from runtime.content.levels.rules import Game, Tile

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


# How the tiles of a custom game are drawn, by what they do: the first tile of a kind has the first colour and shape,
# each further one the next colour and shape, and a mark made from its character.
Shape = Callable[[Colour], Drawing]
COLOURS: tuple[Colour, ...] = (
    *(s.STONE, (190, 104, 66), (92, 140, 88), (206, 178, 92), (120, 98, 168), (88, 142, 176)),
    *((176, 92, 128), (150, 150, 70), (96, 84, 72), (70, 160, 150), (214, 140, 120), (140, 160, 210)),
)
KINDS: Mapping[str, tuple[Shape, ...]] = {
    "start": (lambda _: s.figure(s.BLUE),),
    "goal": (lambda _: s.flag,),
    "enemy": (s.creature, lambda c: s.creature(c, wings=True), lambda c: s.creature(c, spikes=True)),
    "hazard": (lambda _: s.spikes, s.waves, lambda _: s.flame),
    "collectible": (s.coin, s.gem),
    "climbable": (s.ladder, s.vine),
    "oneway": (lambda c: s.plank(c, shade(c, 60)),),
    "solid": (s.block, s.bricks, s.ground),
    "": (s.pane,),  # a door, stairs, a flower: no effect on the game
}
FIRST_COLOURS = {"enemy": s.RED, "collectible": s.GOLD, "climbable": s.WOOD, "oneway": s.WOOD}


def draw(game: Game, tile: Tile) -> Canvas:
    """Draw one tile. Tiles of a custom game are drawn by what they do; its empty tile is transparent."""
    if (drawings := DRAWINGS.get(game.name)) is not None:
        return drawings[tile.char](Canvas())
    if tile.char == game.empty:
        return Canvas()
    kind = _kind(tile)
    number = [char for char, one in game.tiles.items() if char != game.empty and _kind(one) == kind].index(tile.char)
    shapes = KINDS[kind]
    colour = COLOURS[number % len(COLOURS)] if number else FIRST_COLOURS.get(kind, COLOURS[0])
    drawn = shapes[number % len(shapes)](shade(colour, 100 - 12 * (number // len(COLOURS) % 4)))(Canvas())
    return s.mark(tile.char)(drawn) if number or not kind else drawn


def background(game: str) -> Colour:
    """The colour behind transparent tiles."""
    return BACKGROUNDS.get(game, BACKGROUNDS["platformer"])


def _kind(tile: Tile) -> str:
    """The first of KINDS that a tile of a custom game is, which decides how it is drawn; "" for none."""
    return next((kind for kind in KINDS if kind and getattr(tile, kind)), "")
