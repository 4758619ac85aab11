"""Training data for walks: a front as palette indices, and frames of the same character as indices of that palette.

A user's drawing has no slots, so the front here has only colours. A colour that the front does not show (the inside of
a cape) is replaced by the nearest one of the front. Colours, position and the number of colours are augmented, since a
drawing may come from anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pcg.characters.data.outfits import FRONT, CharacterData
from pcg.characters.data.slots import SHADES
from pcg.characters.data.wardrobe import Outfit
from pcg.characters.walk.networks import COLOURS
from runtime.content.characters.atlas import DIRECTIONS, FRAME_PX, FRAMES
from runtime.content.characters.palettes import colours_of, distances, reduce_colours

WALKING = FRAMES - 1
SWAPPED = 0.5  # share of characters whose channels red, green and blue are permuted
SIMPLER = 0.25  # share of characters that are reduced to fewer colours
FEWEST, MOST = 8, 32  # numbers of colours of those
SHIFTED = 0.3  # share of characters that are shifted
SHIFT_PX = 4
SIDES = 1.5  # weight of left and right, with 1 for up and down: side views have the least in common with the front


@dataclass(frozen=True)
class Walk:
    """`front` uint8 (64, 64) palette indices, 0 transparent; `palette` uint8 (64, 3), zero where there is no colour;
    `frames` (F,) numbers of frames of the sheet, row * 9 + frame, and `targets` uint8 (F, 64, 64) what they show.
    """

    front: NDArray[np.uint8]
    palette: NDArray[np.uint8]
    frames: NDArray[np.int64]
    targets: NDArray[np.uint8]


def draw_steps(pairs: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Frame numbers (2 pairs,); a pair is two successive steps, or the standing frame and the first step."""
    weights = np.array([SIDES if direction in ("left", "right") else 1.0 for direction in DIRECTIONS])
    rows = rng.choice(len(DIRECTIONS), pairs, p=weights / weights.sum())
    steps = rng.integers(FRAMES, size=pairs)
    after = steps % WALKING + 1  # 1 after 0 and after 8
    return np.stack([rows * FRAMES + steps, rows * FRAMES + after], 1).ravel()


def draw_walk(data: CharacterData, outfit: Outfit, frames: NDArray[np.int64], rng: np.random.Generator) -> Walk:
    """The front of an outfit and some of its frames, augmented at random."""
    places = [FRONT, *(divmod(int(frame), FRAMES) for frame in frames)]
    codes = np.stack([data.compose_frame(outfit, *place) for place in places])
    colours = data.ramps(outfit).reshape(-1, 3)[: codes.max() + 1]
    if rng.random() < SWAPPED:
        colours = colours[:, rng.permutation(3)]
    if rng.random() < SHIFTED:
        codes = _shift(codes, *rng.integers(-SHIFT_PX, SHIFT_PX + 1, 2))
    limit = int(rng.integers(FEWEST, MOST + 1)) if rng.random() < SIMPLER else COLOURS - 1
    return to_walk(codes, colours, frames, limit)


def _shift(codes: NDArray[np.uint16], down: int, right: int) -> NDArray[np.uint16]:
    """(frames, 64, 64) shifted; the free border is background."""
    padded = np.pad(codes, ((0, 0), (SHIFT_PX, SHIFT_PX), (SHIFT_PX, SHIFT_PX)))
    top, left = SHIFT_PX - down, SHIFT_PX - right
    return padded[:, top : top + FRAME_PX, left : left + FRAME_PX]


def to_walk(codes: NDArray[np.uint16], colours: NDArray[np.uint8], frames: NDArray[np.int64], limit: int) -> Walk:
    """Codes (1 + frames, 64, 64), the front's first, with a colour for each code, to palette indices.

    The palette is the front's, its most frequent colour first, in at most `limit` colours.
    """
    front = np.zeros((*codes.shape[1:], 4), np.uint8)
    figure = codes[0] >= SHADES
    front[figure, :3], front[figure, 3] = colours[codes[0][figure]], 255
    shown, _ = colours_of(reduce_colours(front, limit))
    palette = np.zeros((COLOURS, 3), np.uint8)
    palette[1 : len(shown) + 1] = shown
    used = np.unique(codes[codes >= SHADES])
    indices = np.zeros(len(colours), np.uint8)
    indices[used] = distances(colours[used], shown).argmin(1) + 1
    drawn = indices[codes]
    return Walk(drawn[0], palette, frames, drawn[1:])
