"""Training data for characters: random outfits as slots, shades and ramps; and the sheets as the layers draw them.

data = CharacterData(Path("characters"))
character = data.draw(np.random.default_rng(0))
paint(character.slots, character.shades, character.ramps)  # (4, 9, 64, 64, 4); rare colours may differ from the drawing
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcg.characters.data.heldout import held_out
from pcg.characters.data.layers import Item, Sheet, read_layers
from pcg.characters.data.ramps import Parts, paint_parts, recoloured, take_apart
from pcg.characters.data.slots import SHADES, SLOTS, complete
from pcg.characters.data.wardrobe import Outfit, Wardrobe
from runtime.content.characters.atlas import DIRECTIONS, FRAME_PX, FRAMES, SHEET_SHAPE

FRONT = (DIRECTIONS.index("down"), 0)  # row and frame of the standing front


@dataclass(frozen=True)
class Character:
    """`slots` and `shades`: uint8 (4, 9, 64, 64), rows up, left, down, right, frame 0 standing, 1 to 8 walking; `ramps`
    uint8 (slots, 8, 3), zero where the character has no such slot.
    """

    outfit: Outfit
    slots: NDArray[np.uint8]
    shades: NDArray[np.uint8]
    ramps: NDArray[np.uint8]


class CharacterData:
    """The layers of a data folder, the held-out items, and wardrobes for training and for validation."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError when a file is missing in the folder."""
        self.layers = read_layers(folder)
        self.held_out = held_out(self.layers.items)
        self.training = Wardrobe(self.layers, without=self.held_out)
        self.validation = Wardrobe(self.layers, prefer=self.held_out)
        self._made: dict[tuple[str, int], NDArray[np.uint16]] = {}

    @cached_property
    def parts(self) -> dict[str, Parts]:
        """The parts of every item; see take_apart."""
        return {name: take_apart(item, self.layers.tables) for name, item in self.layers.items.items()}

    def compose(self, outfit: Outfit) -> Character:
        """The whole sheet of an outfit."""
        codes = to_frames(self._compose(outfit, slice(None), slice(None)))
        return Character(outfit, *split_codes(codes), self.ramps(outfit))

    def compose_front(self, outfit: Outfit) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Slots and shades (64, 64) of the standing front alone."""
        return split_codes(self.compose_frame(outfit, *FRONT))

    def compose_frame(self, outfit: Outfit, row: int, frame: int) -> NDArray[np.uint16]:
        """Codes (64, 64) of one frame, slot * 8 + shade."""
        rows, columns = (slice(k * FRAME_PX, (k + 1) * FRAME_PX) for k in (row, frame))
        return self._compose(outfit, rows, columns)

    def ramps(self, outfit: Outfit) -> NDArray[np.uint8]:
        """The colours of an outfit, (slots, 8, 3); shades that no item has are interpolated."""
        ramps, known = np.zeros((len(SLOTS), SHADES, 3), np.uint8), np.zeros((len(SLOTS), SHADES), bool)
        tables = self.layers.tables
        for worn in outfit.worn.values():
            item, parts = self.layers.items[worn.item], self.parts[worn.item]
            chosen = {material: tables[material][name] for material, name in worn.colours.items()}
            given, has = paint_parts(parts, item, item.variants.index(worn.variant), chosen)
            for slot, colours, new in zip(parts.slots, given, has, strict=True):
                new = new & ~known[slot]
                ramps[slot, new] = colours[new]
                known[slot] |= new
        return complete(ramps, known)

    def drawn(self, outfit: Outfit) -> NDArray[np.uint8]:
        """The sheet in the colours of the layers, RGBA (4, 9, 64, 64, 4): the reference for `paint`."""
        out = np.zeros(SHEET_SHAPE, np.uint8)
        for item, sheet in self._layers(outfit):
            worn = next(w for w in outfit.worn.values() if w.item == item.name)
            chosen = {material: self.layers.tables[material][name] for material, name in worn.colours.items()}
            palette = recoloured(sheet.palettes[item.variants.index(worn.variant)], item, chosen)
            _lay_over(out, palette[sheet.pixels])
        return to_frames(out)

    def _layers(self, outfit: Outfit) -> list[tuple[Item, Sheet]]:
        """All layers of an outfit from the back to the front; of equal depth, in the order of the attributes."""
        items = [self.layers.items[worn.item] for worn in outfit.worn.values()]
        layers = [(item, sheet) for item in items for sheet in item.sheets if outfit.body in sheet.bodies]
        return sorted(layers, key=lambda layer: layer[1].z)

    def _compose(self, outfit: Outfit, rows: slice, columns: slice) -> NDArray[np.uint16]:
        out: NDArray[np.uint16] | None = None
        for item, sheet in self._layers(outfit):
            number = next(k for k, s in enumerate(item.sheets) if s is sheet)
            codes = self._codes(item.name, number)[rows, columns]
            if out is None:
                out = np.zeros_like(codes)
            np.copyto(out, codes, where=codes > 0)
        assert out is not None
        return out

    def _codes(self, name: str, number: int) -> NDArray[np.uint16]:
        """One layer as slot * 8 + shade, (256, 576); cached, since all characters share it."""
        key = (name, number)
        if key not in self._made:
            self._made[key] = self.parts[name].codes[number][self.layers.items[name].sheets[number].pixels]
        return self._made[key]


def to_frames(sheet: NDArray[Any]) -> NDArray[Any]:
    """A sheet (256, 576, ...) as its frames (4, 9, 64, 64, ...)."""
    split = sheet.reshape(len(DIRECTIONS), FRAME_PX, FRAMES, FRAME_PX, *sheet.shape[2:])
    return np.ascontiguousarray(split.swapaxes(1, 2))


def split_codes(codes: NDArray[np.uint16]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Slots and shades of codes."""
    return (codes // SHADES).astype(np.uint8), (codes % SHADES).astype(np.uint8)


def _lay_over(out: NDArray[np.uint8], layer: NDArray[np.uint8]) -> None:
    """Put a layer over a picture in place, RGBA (..., 4), alpha not premultiplied."""
    alpha = layer[..., 3]
    out[alpha == 255] = layer[alpha == 255]
    part = (alpha > 0) & (alpha < 255)
    if part.any():
        above, below = layer[part].astype(int), out[part].astype(int)
        left = below[:, 3:] * (255 - above[:, 3:]) // 255
        whole = above[:, 3:] + left
        colour = (above[:, :3] * above[:, 3:] + below[:, :3] * left) // whole
        out[part] = np.concatenate([colour, whole], 1)
