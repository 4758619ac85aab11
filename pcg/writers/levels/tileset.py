"""The tiles of a game as one picture, for formats that refer to one."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pcg.writers.levels import tiles
from runtime.content.levels.rules import TILE, Game

COLUMNS = 8
SUFFIX = "-tiles.png"  # after a game's name
LICENCE = "CC0-1.0"
COPYRIGHT = f"{LICENCE}: drawn by pcg-plugin, use it for anything"


def tileset(game: Game) -> NDArray[np.uint8]:
    """All tiles in the order of the game's table, eight a row: RGBA, uint8 (rows * 16, 128, 4)."""
    sheet = np.zeros((tileset_rows(game) * TILE, COLUMNS * TILE, 4), np.uint8)
    for number, tile in enumerate(game.tiles.values()):
        y, x = (TILE * at for at in divmod(number, COLUMNS))
        sheet[y : y + TILE, x : x + TILE] = tiles.draw(game, tile).pixels
    return sheet


def tileset_rows(game: Game) -> int:
    """The number of rows of tiles in the picture; the last one may not be full."""
    return -(-len(game.tiles) // COLUMNS)


def tileset_name(game: Game) -> str:
    """The picture's file name; levels of a game in one folder share it."""
    return game.name + SUFFIX


def check_tileset(path: Path) -> None:
    """Raise FileExistsError if a file of the picture's name was not written here."""
    try:
        with Image.open(path) as picture:
            said = picture.info.get("Copyright")
    except FileNotFoundError:
        return
    except OSError:  # not a picture
        said = None
    if said != COPYRIGHT:
        raise FileExistsError(f"{path} is there, and is not a tileset of pcg: move it away, or --force to replace it")


def tileset_png(game: Game) -> bytes:
    """The picture as a PNG, with its licence."""
    from PIL.PngImagePlugin import PngInfo

    about = PngInfo()
    about.add_text("Copyright", COPYRIGHT)
    file = io.BytesIO()
    Image.fromarray(tileset(game)).save(file, "PNG", pnginfo=about)
    return file.getvalue()
