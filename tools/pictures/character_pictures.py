"""Makes the pictures of docs/models.md that show sprites.

    python tools/pictures/character_pictures.py --data characters/

characters.png: fronts of seeds 0 to 99 as they are given out, nothing wished for, nothing chosen; real ones beside.
sheets.png: ten whole sheets of seeds 0 to 9, and ten real ones.
monsters.png: monsters of seeds 0 to 99, and real ones.
nearest-characters.png, nearest-monsters.png: of 1,000 the twelve that are nearest to a training sprite, that below.

Each is made where the models folder has what it needs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pcg.characters.data.monsters import paint_shades, read_monsters
from pcg.characters.data.outfits import CharacterData
from pcg.characters.evaluation.metrics import nearest
from pcg.characters.evaluation.samples import draw_fronts, draw_monsters, real_fronts, real_sheets, running, walk_sheets
from pcg.characters.losses import on_ground
from runtime.content.characters.atlas import DIRECTIONS, FRAME_PX, FRAMES, SHEET_SHAPE
from runtime.engine import Engine
from runtime.registry import Registry

DOCS = Path(__file__).parents[2] / "docs"
Pictures = NDArray[np.uint8]
SHOWN, SHEETS, SAMPLES, TAUGHT, PAIRS = 100, 10, 1000, 4000, 12
SCALE, GAP = 4, 32


def grid(pictures: Pictures, columns: int) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 4) in rows, (rows * H, columns * W, 4)."""
    rows = [np.concatenate(list(pictures[i : i + columns]), 1) for i in range(0, len(pictures), columns)]
    return np.concatenate(rows)


def save(path: Path, made: NDArray[np.uint8], real: NDArray[np.uint8], *, beside: bool) -> None:
    """Two pictures, enlarged, side by side or one below the other, a white gap between them."""
    one, other = (on_ground(picture, SCALE) for picture in (made, real))
    shape = (len(one), GAP, 3) if beside else (GAP, one.shape[1], 3)
    whole = np.concatenate([one, np.full(shape, 255, np.uint8), other], 1 if beside else 0)
    Image.fromarray(whole).save(path, optimize=True)
    print(path)


def as_sheets(frames: Pictures) -> Pictures:
    """(N, 36, 64, 64, 4) to (N, 256, 576, 4)."""
    split = frames.reshape(-1, len(DIRECTIONS), FRAMES, FRAME_PX, FRAME_PX, 4).swapaxes(2, 3)
    return split.reshape(-1, *SHEET_SHAPE)


def pairs(made: Pictures, taught: Pictures) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The generated pictures that are nearest to one that was trained on, and these."""
    far, which = nearest(made, taught)
    first = far.argsort()[:PAIRS]
    return grid(made[first], PAIRS), grid(taught[which[first]], PAIRS)


def draw_characters(engine: Engine, models: Registry, data: CharacterData, out: Path) -> None:
    """Fronts, their nearest, and whole sheets."""
    _, fronts, _ = draw_fronts(engine, models.find("character-front"), np.arange(SAMPLES))
    taught, _ = real_fronts(data, data.training, TAUGHT, 0)
    save(out / "characters.png", grid(fronts[:SHOWN], 10), grid(taught[:SHOWN], 10), beside=True)
    save(out / "nearest-characters.png", *pairs(fronts, taught), beside=False)
    if "character-walk" in models.models:
        walks = as_sheets(walk_sheets(engine, models.find("character-walk"), fronts[:SHEETS]))
        real = as_sheets(real_sheets(data, data.training, SHEETS, 0))
        save(out / "sheets.png", grid(walks, 1), grid(real, 1), beside=True)


def draw_bestiary(engine: Engine, models: Registry, folder: Path, out: Path) -> None:
    """Monsters, and their nearest."""
    tiles, _ = read_monsters(folder)
    taught = paint_shades(tiles.shades, tiles.palettes)
    _, made, _ = draw_monsters(engine, models.find("monster"), np.arange(SAMPLES))
    some = np.random.default_rng(0).permutation(len(taught))[:SHOWN]
    save(out / "monsters.png", grid(made[:SHOWN], 10), grid(taught[some], 10), beside=True)
    save(out / "nearest-monsters.png", *pairs(made, taught), beside=False)


def main() -> None:
    """Draw the pictures that the arguments name, and save them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the character data")
    parser.add_argument("--models", type=Path, help="models folder; by default the bundled models")
    parser.add_argument("--out", type=Path, default=DOCS / "pictures")
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True)
    models = Registry(arguments.models)
    with running() as engine:
        if "character-front" in models.models:
            draw_characters(engine, models, CharacterData(arguments.data), arguments.out)
        if "monster" in models.models:
            draw_bestiary(engine, models, arguments.data, arguments.out)


if __name__ == "__main__":
    main()
