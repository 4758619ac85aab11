"""A level as a picture, with the path of its solution."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pcg.writers import provenance
from pcg.writers.levels.level import Find, Level
from pcg.writers.levels.objects import take_apart
from pcg.writers.levels.tiles import background, draw
from pcg.writers.png import read_text
from runtime.content.levels.games import kit_of
from runtime.content.levels.rules import TILE

FIRST, LAST = (255, 238, 88), (255, 64, 129)  # colours of the path's beginning and end
OUTLINE = (20, 16, 24)


def encode_png(level: Level, path: Path) -> dict[Path, bytes]:
    """NAME.png, with the level in a text chunk."""
    about = {"form": "png", **level.about(), "rows": list(level.rows)}
    text = PngInfo()
    if level.provenance and "statement" in level.provenance:
        text.add_itxt("Comment", str(level.provenance["statement"]))
    text.add_itxt(provenance.KEY, json.dumps(about))
    file = io.BytesIO()
    Image.fromarray(picture(level)).save(file, "PNG", pnginfo=text, optimize=True)
    return {path: file.getvalue()}


def picture(level: Level) -> NDArray[np.uint8]:
    """The level in pixels, uint8 (16 * rows, 16 * columns, 3): the ground, the actors, and the path of the solution.

    The path is two pixels wide and goes from yellow to pink. Raises ValueError if the solution breaks the rules.
    """
    game = level.rules
    ground, actors = take_apart(game, level.rows)
    tiles = {char: draw(game, tile).pixels for char, tile in game.tiles.items()}
    pixels = np.empty((TILE * len(ground), TILE * len(ground[0]), 3), np.uint8)
    pixels[:] = background(game.name)
    for y, row in enumerate(ground):
        for x, char in enumerate(row):
            _lay(pixels, tiles[char], x, y)
    for actor in actors:
        _lay(pixels, tiles[actor.char], actor.column, actor.row)
    if level.solution:
        # If boxes are pushed, the pushes are drawn thick and the walks between them thin.
        pushes = any(tile.pushable for tile in game.tiles.values())
        bold = [not pushes or game.moves[move].startswith("push") for move in level.solution]
        _draw_way(pixels, kit_of(game).player.path(level.rows, level.solution), bold)
    return pixels


def _lay(pixels: NDArray[np.uint8], tile: NDArray[np.uint8], column: int, row: int) -> None:
    """Draw a tile on the picture, except for its transparent pixels."""
    place = pixels[TILE * row : TILE * (row + 1), TILE * column : TILE * (column + 1)]
    opaque = tile[..., 3] > 0
    place[opaque] = tile[opaque][:, :3]


def _draw_way(pixels: NDArray[np.uint8], places: list[tuple[int, int]], bold: list[bool]) -> None:
    """Draw a line through the places (x, y). Bold parts have an outline, so that they can be seen on every ground."""
    dots = [(dot, thick) for ends, thick in zip(pairwise(places), bold, strict=True) for dot in _line(*ends)]
    for (x, y), thick in dots:
        reach = 2 if thick else 0
        pixels[max(y - reach, 0) : max(y + max(reach, 1), 0), max(x - reach, 0) : max(x + max(reach, 1), 0)] = OUTLINE
    for i, ((x, y), thick) in enumerate(dots):
        if thick:
            colour = [a + (b - a) * i // max(len(dots) - 1, 1) for a, b in zip(FIRST, LAST, strict=True)]
            pixels[max(y - 1, 0) : max(y + 1, 0), max(x - 1, 0) : max(x + 1, 0)] = colour


def _line(one: tuple[int, int], other: tuple[int, int]) -> list[tuple[int, int]]:
    """The pixels between two places, without the first one."""
    (x, y), (dx, dy) = one, (other[0] - one[0], other[1] - one[1])
    steps = max(abs(dx), abs(dy))
    return [
        (x + (2 * dx * i + steps) // (2 * steps), y + (2 * dy * i + steps) // (2 * steps)) for i in range(1, steps + 1)
    ]


def decode_png(data: bytes, path: Path, game: str | None, find: Find) -> Level:
    """The level in the text chunk of a picture written here. Raises ValueError if it has none."""
    from pcg.writers.levels.plain import decode_json

    text = read_text(path, provenance.KEY)
    if text is None:
        raise ValueError("the picture carries no level: it was not written by this project, or was saved again")
    del data
    return decode_json(text.encode(), path, game, find)
