"""Training data for monsters: 32x32 tiles of a roguelike, each as shades and a palette, by kind.

A tile is reduced to at most fifteen colours. Sorted by luminance they are its palette. A pixel's shade is the index of
its colour there: 1 is the darkest, 15 the lightest, 0 transparent. The colours of a tile with fewer are spread out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.content.characters.palettes import colours_of, crisp, reduce_colours

SIZE, COLOURS = 32, 15
LUMINANCE = (299, 587, 114)
HELD_OUT = 10  # one group in ten is kept for validation

# Kind -> categories of the tiles. Categories not listed are orbs, plants, statues and various objects.
KINDS: dict[str, tuple[str, ...]] = {
    "animal": ("animal", "aquatic"),
    "humanoid": ("humanoid", "demihumanoid", "unique", "holy"),
    "undead": ("undead",),
    "demon": ("demon", "panlord"),
    "dragon": ("dragon", "draconian"),
    "slime": ("amorphous", "eye"),
    "horror": ("aberration", "abyssal"),
}
NO_CREATURES = ("egg", "phased", "wyrmhole", "tome", "weaponless", "staveless", "spearless", "scytheless", "water")
# A tile with such a word in its name shows an egg, a fading creature or a hole, or repeats another tile.


@dataclass(frozen=True)
class Monsters:
    """`shades` uint8 (N, 32, 32), `palettes` uint8 (N, 15, 3) from dark to light, `kinds` numbers of KINDS."""

    names: tuple[str, ...]
    kinds: NDArray[np.int64]
    shades: NDArray[np.uint8]
    palettes: NDArray[np.uint8]


def read_monsters(folder: Path) -> tuple[Monsters, Monsters]:
    """Monsters for training and for validation: a tenth of the groups of near-duplicates, by the SHA-256 of their name.

    Raises:
        FileNotFoundError: the folder holds no dcss/monsters32.npz.
    """
    path = folder / "dcss" / "monsters32.npz"
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no dcss/monsters32.npz; give the folder of the character data")
    kind_of = {category: number for number, names in enumerate(KINDS.values()) for category in names}
    with np.load(path) as file:
        tiles = zip(*(file[key] for key in ("rgba", "name", "category", "group")), strict=True)
        chosen: tuple[list[tuple[str, int, NDArray[np.uint8], NDArray[np.uint8]]], ...] = ([], [])
        for picture, name, category, group in tiles:
            if category in kind_of and not any(word in str(name) for word in NO_CREATURES):
                kept = int.from_bytes(hashlib.sha256(str(group).encode()).digest()[:8]) % HELD_OUT == 0
                chosen[kept].append((str(name), kind_of[str(category)], *to_shades(picture)))
    return _gather(chosen[0]), _gather(chosen[1])


def _gather(tiles: list[tuple[str, int, NDArray[np.uint8], NDArray[np.uint8]]]) -> Monsters:
    names, kinds, shades, palettes = zip(*tiles, strict=True) if tiles else ((), (), (), ())
    return Monsters(
        names,
        np.array(kinds, np.int64),
        np.array(shades, np.uint8).reshape(-1, SIZE, SIZE),
        np.array(palettes, np.uint8).reshape(-1, COLOURS, 3),
    )


def to_shades(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """RGBA (32, 32, 4) to shades (32, 32) and a palette (15, 3)."""
    picture = reduce_colours(crisp(picture), COLOURS)
    colours, _ = colours_of(picture)
    colours = colours[np.lexsort((*colours.T, colours.astype(int) @ LUMINANCE))]
    count = len(colours)
    places = [round(k * (COLOURS - 1) / max(1, count - 1)) for k in range(count)]
    palette = np.zeros((COLOURS, 3), np.uint8)
    if count:
        steps = np.arange(COLOURS)
        palette[:] = np.rint(np.stack([np.interp(steps, places, colours[:, c]) for c in range(3)], 1))
    shades = np.zeros((SIZE, SIZE), np.uint8)
    for place, colour in zip(places, colours, strict=True):
        shades[(picture[..., :3] == colour).all(-1) & (picture[..., 3] > 0)] = place + 1
    return shades, palette


def paint_shades(shades: NDArray[np.uint8], palettes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shades (N, 32, 32) with palettes (N, 15, 3), to RGBA (N, 32, 32, 4)."""
    colours = np.zeros((len(palettes), COLOURS + 1, 4), np.uint8)
    colours[:, 1:, :3], colours[:, 1:, 3] = palettes, 255
    return colours[np.arange(len(shades))[:, None, None], shades]
