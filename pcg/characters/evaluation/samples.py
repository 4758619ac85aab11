"""Many sprites of a model file, made as the runtime makes them, for metrics and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from pcg.characters.data.outfits import Character, CharacterData
from pcg.characters.data.slots import paint
from pcg.characters.data.wardrobe import Outfit, Wardrobe
from runtime.content.characters import fronts, monsters, wishes
from runtime.content.characters import sheet as characters
from runtime.content.characters.outlines import close_gaps
from runtime.content.characters.palettes import remove_strays
from runtime.engine import Engine
from runtime.registry import ModelFile

Pictures = NDArray[np.uint8]
Rows = NDArray[np.int64]
BATCH = 16


@contextmanager
def running() -> Iterator[Engine]:
    """A context with an engine, which is closed at its end."""
    engine = Engine("cpu")
    try:
        yield engine
    finally:
        engine.close()


def cast_rows(engine: Engine, model: ModelFile, seeds: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Casts of seeds without wishes, and the wishes that describe them."""
    open_ = np.full((len(seeds), wishes.choices(model.card).size), wishes.OPEN)
    casts = engine.submit(engine.run, model, "cast", seeds, open_).result()
    return casts, engine.submit(engine.run, model, "values", casts).result()


def draw_fronts(engine: Engine, model: ModelFile, seeds: NDArray[np.int64]) -> tuple[Pictures, Pictures, Rows]:
    """Fronts (N, 64, 64, 4) of seeds: as the network draws them, and as the runtime repairs them; and their values."""
    casts, values = cast_rows(engine, model, seeds)
    raw = []
    for first in range(0, len(seeds), BATCH):
        part = casts[first : first + BATCH]
        share = np.zeros(len(part), np.int64)
        raw.append(engine.submit(engine.run, model, "forward", part, part, share, characters.UNIT).result())
    drawn = np.concatenate(raw)
    return drawn, close_gaps(np.stack([in_few_colours(front) for front in remove_strays(drawn)])), values


def in_few_colours(front: Pictures) -> Pictures:
    """A front (64, 64, 4), reduced to the number of colours that a sheet can have."""
    return fronts.in_colours(front, fronts.MOST_COLOURS, np.zeros((0, 3), np.uint8))


def walk_sheets(engine: Engine, model: ModelFile, pictures: Pictures) -> Pictures:
    """All frames (N, 36, 64, 64, 4) of fronts (N, 64, 64, 4), as the runtime returns them."""
    return np.stack([engine.submit(characters.walk, engine, model, in_few_colours(f)).result() for f in pictures])


def draw_monsters(
    engine: Engine, model: ModelFile, seeds: NDArray[np.int64], kind: int = -1
) -> tuple[Pictures, Pictures, Rows]:
    """Monsters (N, 32, 32, 4) of seeds: as the network draws them, and repaired; and their kinds."""
    casts = engine.submit(engine.run, model, "cast", seeds, np.full(len(seeds), kind)).result()
    shares = np.zeros(len(seeds), np.int64)
    raw = engine.submit(engine.run, model, "forward", casts, casts, shares, characters.UNIT).result()
    return raw, monsters.mend(raw), casts[:, 3]


def real_fronts(data: CharacterData, wardrobe: Wardrobe, count: int, seed: int) -> tuple[Pictures, list[Outfit]]:
    """Fronts (N, 64, 64, 4) of random outfits, composed of the layers."""
    rng = np.random.default_rng(seed)
    outfits = [wardrobe.draw(rng) for _ in range(count)]
    return np.stack([paint(*data.compose_front(outfit), data.ramps(outfit)) for outfit in outfits]), outfits


def real_sheets(data: CharacterData, wardrobe: Wardrobe, count: int, seed: int) -> Pictures:
    """Sheets (N, 36, 64, 64, 4) of random outfits, composed of the layers."""
    rng = np.random.default_rng(seed)
    return np.stack([painted(data.compose(wardrobe.draw(rng))) for _ in range(count)])


def painted(character: Character) -> Pictures:
    """The frames of a character, RGBA (36, 64, 64, 4)."""
    sheet = paint(character.slots, character.shades, character.ramps)
    return sheet.reshape(-1, *sheet.shape[-3:])
