"""Makes the pictures of docs/levels.md and docs/level-models.md.

    python tools/pictures/level_pictures.py                    # tiles.png
    python tools/pictures/level_pictures.py --game dungeon     # level-dungeon.png
    python tools/pictures/level_pictures.py --data LEVELS --trials FOLDER

tiles.png: the tileset of each game, as its levels show it. level-GAME.png: the levels of the first seeds, as they come,
with their solutions. ranges.png: linearity and leniency of 1,000 levels of each game over those of its corpus. What is
made for it is kept in FOLDER, so that it goes on where it was cut off. Of the games that there are models of.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pcg.levels.corpus.data import load_corpus
from pcg.levels.corpus.games import find_game
from pcg.levels.evaluation.expression import RANGES, measure_range
from pcg.levels.evaluation.generator import LevelGenerator
from pcg.levels.evaluation.hexbins import draw_range
from pcg.levels.evaluation.trials import run_trials
from pcg.writers.levels.level import Level
from pcg.writers.levels.picture import picture
from pcg.writers.levels.tiles import background
from pcg.writers.levels.tileset import tileset
from runtime.content.levels.games import GAMES
from runtime.content.levels.rules import Game
from runtime.registry import Registry

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "pictures"
SCALE, TITLE = 3, 18
LEVELS = 1000  # of each game, in ranges.png
# How many levels are shown, how many side by side, and how much smaller than their tiles are.
SHOWN = {"platformer": (4, 1, 2), "sokoban": (12, 4, 1), "dungeon": (6, 2, 1), "runner": (6, 2, 1)}
GAP = 8  # pixels between them


def shown(game: Game) -> Image.Image:
    """A game's tileset on its background, enlarged, its name above."""
    tiles = Image.fromarray(tileset(game))
    picture = Image.new("RGB", tiles.size, background(game.name))
    picture.paste(tiles, (0, 0), tiles)
    titled = Image.new("RGB", (SCALE * tiles.width, SCALE * tiles.height + TITLE), "white")
    titled.paste(picture.resize((SCALE * tiles.width, SCALE * tiles.height), Image.Resampling.NEAREST), (0, TITLE))
    ImageDraw.Draw(titled).text((2, 3), game.name, fill="black")
    return titled


def examples(generator: LevelGenerator) -> Image.Image:
    """The levels of the first seeds at default settings."""
    count, across, smaller = SHOWN[generator.game]
    made = [generator.generate(seed) for seed in range(count)]
    levels = [Level(generator.game, tuple(m["rows"]), m["solution"]) for m in made if m is not None]
    return in_rows([Image.fromarray(picture(level)).reduce(smaller) for level in levels], across)


def expressive_range(generator: LevelGenerator, data: Path, folder: Path) -> Image.Image:
    """Levels of the sizes of those of the corpus, over them."""
    game = find_game(generator.game)
    (narrowest, widest), (lowest, highest) = game.sides
    corpus = load_corpus(data, game)
    real = [
        level.rows
        for level in corpus.training + corpus.held_out
        if narrowest <= len(level.rows[0]) <= widest and lowest <= len(level.rows) <= highest
    ]
    chosen = np.linspace(0, len(real) - 1, LEVELS).round().astype(int)

    def trial(seed: int, width: int, height: int) -> dict[str, list[str] | None]:
        made = generator.generate(seed, width=width, height=height)
        return {"rows": None if made is None else made["rows"]}

    trials = {
        f"{width}x{height} {seed}": lambda s=seed, w=width, h=height: trial(s, w, h)
        for seed, (width, height) in enumerate((len(real[k][0]), len(real[k])) for k in chosen)
    }
    records = run_trials(folder / f"{game.name}.jsonl", generator.model, game.name, trials)
    ours = measure_range(game.name, [record["rows"] for record in records if record["rows"] is not None])
    about = RANGES[game.name]
    return draw_range(game.name, (about.straight, about.mild), measure_range(game.name, real), ours)


def in_rows(pictures: list[Image.Image], across: int) -> Image.Image:
    """So many pictures side by side, rows and columns as wide as they have to be."""
    rows = [pictures[first : first + across] for first in range(0, len(pictures), across)]
    widths = [max(one.width for one in pictures[column::across]) + GAP for column in range(len(rows[0]))]
    sheet = Image.new("RGB", (sum(widths) - GAP, sum(max(p.height for p in row) + GAP for row in rows) - GAP), "white")
    y = 0
    for row in rows:
        for column, one in enumerate(row):
            sheet.paste(one, (sum(widths[:column]), y))
        y += max(one.height for one in row) + GAP
    return sheet


def main() -> None:
    """Draw the pictures that the arguments name, and save them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the corpora")
    parser.add_argument("--trials", type=Path, help="folder for what is made for ranges.png")
    parser.add_argument("--game", choices=SHOWN, help="make level-GAME.png alone")
    parser.add_argument("--models", type=Path, help="folder of models; by default the bundled ones")
    options = parser.parse_args()
    if (options.data is None) != (options.trials is None):
        parser.error("--data and --trials go together")
    if options.game is not None:
        with LevelGenerator(Registry(options.models), f"level-{options.game}") as generator:
            examples(generator).save(PICTURES / f"level-{options.game}.png", optimize=True)
        return
    in_rows([shown(game) for game in GAMES.values()], len(GAMES)).save(PICTURES / "tiles.png", optimize=True)
    if options.data is None:
        return
    registry = Registry(options.models)
    ranges = []
    for game in RANGES:
        if f"level-{game}" in registry.models:
            with LevelGenerator(registry, f"level-{game}") as generator:
                examples(generator).save(PICTURES / f"level-{game}.png", optimize=True)
                ranges.append(expressive_range(generator, options.data, options.trials))
    in_rows(ranges, 2).save(PICTURES / "ranges.png", optimize=True)


if __name__ == "__main__":
    main()
