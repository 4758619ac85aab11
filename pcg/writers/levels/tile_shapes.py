"""Shapes to draw on a tile. The drawings are ours and CC0: use them for anything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from pcg.writers.levels.pixels import Canvas, Colour, shade
from runtime.content.levels.rules import TILE

INK, PAPER, STONE, EARTH, WOOD = (34, 32, 52), (240, 236, 220), (118, 122, 140), (134, 94, 62), (168, 118, 66)
GRASS, LEAF, WATER, FIRE, GOLD = (106, 176, 76), (58, 118, 72), (64, 130, 204), (224, 92, 44), (246, 202, 70)
RED, PURPLE, SKIN, BLUE, TEAL, NIGHT = (
    (204, 62, 68),
    (150, 86, 180),
    (238, 190, 150),
    (66, 96, 190),
    (64, 176, 164),
    (58, 54, 74),
)
Drawing = Callable[[Canvas], Canvas]


def over(below: Drawing, above: Drawing) -> Drawing:
    """One drawing on top of another."""
    return lambda c: above(below(c))


def floor(colour: Colour) -> Drawing:
    """Flat ground seen from above."""
    return lambda c: c.fill(colour).speckle(shade(colour, 88), 9).rect(0, 15, 16, 1, shade(colour, 94))


def bricks(colour: Colour) -> Drawing:
    """Masonry: courses of 16x8 pixels, set off by half a brick."""

    def draw(c: Canvas) -> Canvas:
        c.fill(shade(colour, 62))
        for y, begin in ((0, 0), (4, -4), (8, 0), (12, -4)):
            for x in (begin, begin + 8, begin + 16):
                c.rect(x, y, 7, 3, colour).rect(x, y, 7, 1, shade(colour, 122))
        return c

    return draw


def block(colour: Colour) -> Drawing:
    """A block with lit edges."""
    return lambda c: (
        c.fill(colour)
        .rect(0, 0, 16, 1, shade(colour, 130))
        .rect(0, 0, 1, 16, shade(colour, 120))
        .rect(0, 15, 16, 1, shade(colour, 60))
        .rect(15, 0, 1, 16, shade(colour, 70))
    )


def ground(colour: Colour) -> Drawing:
    """Earth or rock seen from the side."""
    return lambda c: block(colour)(c).speckle(shade(colour, 80), 7).speckle(shade(colour, 118), 13, 5)


def slope(rising: bool) -> Drawing:
    """Earth up to a diagonal, with grass on it."""

    def draw(c: Canvas) -> Canvas:
        for x in range(TILE):
            top = TILE - 1 - x if rising else x
            c.rect(x, top, 1, TILE - top, EARTH).rect(x, top, 1, 2, GRASS)
        return c

    return draw


def figure(shirt: Colour) -> Drawing:
    """A person."""
    shape = (
        "....hhhh....",
        "...hhhhhh...",
        "...sksksh...",
        "...ssssss...",
        "....ssss....",
        "..tttttttt..",
        ".ttttttttttt",
    )
    more = (".s.tttttt.s.", "...tttttt...", "...pp..pp...", "...pp..pp...", "..iii..iii..")
    colours = {"h": EARTH, "s": SKIN, "k": INK, "t": shirt, "p": shade(shirt, 60), "i": INK}
    return lambda c: c.mask((*shape, *more), 2, 3, colours)


def creature(colour: Colour, wings: bool = False, spikes: bool = False) -> Drawing:
    """An enemy: a body with eyes and teeth."""

    def draw(c: Canvas) -> Canvas:
        if wings:
            c.triangle(0, 3, 8, 6, PAPER).triangle(8, 3, 8, 6, PAPER)
        if spikes:
            for x in (2, 6, 10):
                c.triangle(x, 1, 4, 5, PAPER)
        c.disc(2, 4, 12, colour).rect(2, 12, 12, 4, shade(colour, 70))
        c.rect(4, 7, 3, 3, PAPER).rect(9, 7, 3, 3, PAPER).rect(5, 8, 2, 2, INK).rect(9, 8, 2, 2, INK)
        return c.points([(5, 12), (7, 12), (9, 12), (11, 12)], PAPER)

    return draw


def box(colour: Colour, cross: Colour) -> Drawing:
    """A crate."""

    def draw(c: Canvas) -> Canvas:
        c.rect(1, 1, 14, 14, shade(colour, 62)).rect(2, 2, 12, 12, colour)
        for i in range(3, 13):
            c.rect(i, i, 1, 2, cross).rect(15 - i, i, 1, 2, cross)
        return c.rect(2, 2, 12, 2, shade(colour, 122)).rect(2, 12, 12, 2, shade(colour, 84))

    return draw


def target(c: Canvas) -> Canvas:
    """A mark on the floor, where a box goes."""
    return c.disc(4, 4, 8, RED).disc(6, 6, 4, PAPER)


def coin(colour: Colour) -> Drawing:
    """Something round to collect."""
    return lambda c: c.disc(4, 3, 9, shade(colour, 66)).disc(4, 3, 8, colour).rect(7, 5, 2, 4, shade(colour, 130))


def nuggets(c: Canvas) -> Canvas:
    """A heap of gold."""
    return c.triangle(2, 6, 12, 9, shade(GOLD, 74)).disc(3, 9, 5, GOLD).disc(8, 9, 5, GOLD).disc(6, 5, 5, GOLD)


def spikes(c: Canvas) -> Canvas:
    """Spikes, which hurt."""
    for x in (0, 4, 8, 12):
        c.triangle(x, 5, 4, 10, PAPER).rect(x + 2, 7, 1, 8, STONE)
    return c.rect(0, 15, 16, 1, STONE)


def waves(colour: Colour) -> Drawing:
    """A liquid."""

    def draw(c: Canvas) -> Canvas:
        c.fill(colour)
        for y in (3, 8, 13):
            for x in range(y % 5, 16, 8):
                c.rect(x, y, 3, 1, shade(colour, 136)).rect(x + 3, y - 1, 2, 1, shade(colour, 136))
        return c

    return draw


def door(colour: Colour, lock: bool = False) -> Drawing:
    """A door in its frame."""

    def draw(c: Canvas) -> Canvas:
        c.rect(2, 0, 12, 16, shade(colour, 55)).rect(3, 1, 10, 15, colour)
        for x in (6, 9):
            c.rect(x, 1, 1, 15, shade(colour, 78))
        if lock:
            return c.rect(5, 6, 6, 5, GOLD).rect(6, 4, 4, 2, GOLD).rect(7, 8, 2, 2, INK)
        return c.rect(11, 8, 1, 2, GOLD)

    return draw


def key(c: Canvas) -> Canvas:
    """A key."""
    return (
        c.disc(1, 5, 6, GOLD)
        .disc(3, 7, 2, NIGHT)
        .rect(6, 7, 9, 2, GOLD)
        .rect(11, 9, 1, 2, GOLD)
        .rect(13, 9, 1, 3, GOLD)
    )


def stairs(up: bool) -> Drawing:
    """Steps that rise or fall to the right."""

    def draw(c: Canvas) -> Canvas:
        c.fill(NIGHT)
        for i in range(4):
            high = 3 + 3 * i if up else 12 - 3 * i
            c.rect(4 * i, 16 - high, 4, high, shade(STONE, 70 + 18 * i)).rect(4 * i, 16 - high, 4, 1, PAPER)
        return c

    return draw


def ladder(colour: Colour, hidden: bool = False) -> Drawing:
    """Two rails and rungs; `hidden`: only hinted at."""

    def draw(c: Canvas) -> Canvas:
        for y in range(1, 16, 4):
            c.rect(3, y, 10, 1 if hidden else 2, colour)
        return c if hidden else c.rect(3, 0, 2, 16, colour).rect(11, 0, 2, 16, colour)

    return draw


def flag(c: Canvas) -> Canvas:
    """A pole with a flag."""
    return c.rect(7, 0, 2, 16, PAPER).rect(9, 1, 6, 5, GRASS).rect(9, 5, 6, 1, LEAF)


def tree(c: Canvas) -> Canvas:
    """A tree from above."""
    return c.rect(7, 11, 2, 5, EARTH).disc(2, 0, 12, LEAF).disc(4, 1, 7, shade(LEAF, 126))


def plank(colour: Colour, below: Colour) -> Drawing:
    """A platform at the top of the tile."""
    return lambda c: c.rect(0, 0, 16, 5, colour).rect(0, 0, 16, 1, shade(colour, 130)).rect(2, 5, 12, 2, below)


def sign(colour: Colour, shape: tuple[str, ...], ink: Colour = PAPER) -> Drawing:
    """A block with something written on it, 6 pixels wide."""
    return lambda c: block(colour)(c).mask(shape, 5, 4, {"x": ink})


QUESTION = (".xxxx.", "xx..xx", "....xx", "...xx.", "..xx..", "......", "..xx..")
CRACK = ("x.....", ".x...x", "..x.x.", "..xx..", ".x..x.", "x....x", ".....x")


def bottle(c: Canvas) -> Canvas:
    """Something useful."""
    return c.rect(6, 2, 4, 3, PAPER).disc(3, 5, 10, PURPLE).disc(5, 7, 3, shade(PURPLE, 150))


def pillar(c: Canvas) -> Canvas:
    """An altar, a fountain, a throne."""
    return c.rect(3, 12, 10, 3, STONE).rect(5, 4, 6, 8, PAPER).rect(3, 2, 10, 3, STONE)


def arch(c: Canvas) -> Canvas:
    """Where one comes in."""
    return c.disc(2, 1, 12, STONE).rect(2, 7, 12, 9, STONE).disc(4, 3, 8, INK).rect(4, 7, 8, 9, INK)


def mushroom(c: Canvas) -> Canvas:
    """A power-up."""
    return (
        c.disc(3, 2, 10, RED)
        .rect(3, 8, 10, 2, shade(RED, 70))
        .rect(5, 10, 6, 5, SKIN)
        .disc(5, 4, 3, PAPER)
        .disc(9, 5, 3, PAPER)
    )


def spring(c: Canvas) -> Canvas:
    """A trampoline."""
    for y in (6, 9, 12):
        c.rect(4, y, 8, 1, STONE).rect(4 if y != 9 else 11, y, 1, 3, STONE)
    return c.rect(1, 3, 14, 3, RED).rect(1, 14, 14, 2, STONE)


def boulder(c: Canvas) -> Canvas:
    """A round rock."""
    return c.disc(1, 1, 14, shade(STONE, 70)).disc(2, 1, 11, STONE).disc(4, 3, 4, shade(STONE, 130))


def pole(c: Canvas) -> Canvas:
    """A checkpoint."""
    return c.rect(7, 4, 2, 12, STONE).disc(4, 0, 8, GOLD)


def rope(c: Canvas) -> Canvas:
    """A rope to hang from."""
    return c.rect(0, 2, 16, 2, WOOD).points([(x, 2) for x in range(0, 16, 4)], PAPER)


def flame(c: Canvas) -> Canvas:
    """A trap that burns."""
    return c.triangle(3, 1, 10, 13, FIRE).triangle(5, 6, 6, 8, GOLD).rect(3, 14, 10, 2, STONE)


def nothing(c: Canvas) -> Canvas:
    """Air: only the background shows."""
    return c


def gem(colour: Colour) -> Drawing:
    """A cut stone to collect."""
    return lambda c: c.triangle(3, 3, 10, 5, shade(colour, 130)).mask(GEM, 3, 8, {"x": colour})


GEM = ("xxxxxxxxxx", ".xxxxxxxx.", "..xxxxxx..", "...xxxx...", "....xx....")


def vine(colour: Colour) -> Drawing:
    """A stem with leaves, to climb."""

    def draw(c: Canvas) -> Canvas:
        c.rect(7, 0, 2, 16, shade(colour, 75))
        for y in (1, 6, 11):
            c.disc(2, y, 5, colour).disc(9, y, 5, colour)
        return c

    return draw


def pane(colour: Colour) -> Drawing:
    """A framed pane, for tiles without an effect."""
    return lambda c: c.rect(1, 1, 14, 14, shade(colour, 60)).rect(2, 2, 12, 12, shade(colour, 120))


def mark(char: str) -> Drawing:
    """A sign of five by five pixels, the same on both sides, that follows from a character."""
    bits = (
        int.from_bytes(hashlib.sha256(char.encode()).digest()[:2], "big") | 1 << 7
    )  # of the middle: it is never empty
    shape = [
        "".join("x" if bits >> (3 * row + min(column, 4 - column)) & 1 else "." for column in range(5))
        for row in range(5)
    ]
    return lambda c: c.rect(4, 5, 7, 7, NIGHT).mask(shape, 5, 6, {"x": PAPER})
