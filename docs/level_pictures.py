"""Makes the pictures of docs/levels.md that need no model:  python docs/level_pictures.py

tiles.png: the tileset of each game, as its levels show it.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from pcg.writers.tiles import background
from pcg.writers.tileset import tileset
from runtime.content.levels.rules import GAMES, Game

SCALE, TITLE = 3, 18


def shown(game: Game) -> Image.Image:
    """A game's tileset on its background, enlarged, its name above."""
    tiles = Image.fromarray(tileset(game))
    picture = Image.new("RGB", tiles.size, background(game.name))
    picture.paste(tiles, (0, 0), tiles)
    titled = Image.new("RGB", (SCALE * tiles.width, SCALE * tiles.height + TITLE), "white")
    titled.paste(picture.resize((SCALE * tiles.width, SCALE * tiles.height), Image.Resampling.NEAREST), (0, TITLE))
    ImageDraw.Draw(titled).text((2, 3), game.name, fill="black")
    return titled


def main() -> None:
    pictures = [shown(game) for game in GAMES.values()]
    sheet = Image.new("RGB", (sum(p.width + 8 for p in pictures) - 8, max(p.height for p in pictures)), "white")
    x = 0
    for picture in pictures:
        sheet.paste(picture, (x, 0))
        x += picture.width + 8
    sheet.save(Path(__file__).parent / "pictures" / "tiles.png", optimize=True)


if __name__ == "__main__":
    main()
