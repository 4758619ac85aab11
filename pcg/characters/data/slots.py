"""Slots and shades: the slot says which part of the character a pixel belongs to, the shade how light it is.

A slot has one ramp of eight colours, from the dark outline to the highlight. A sheet is painted by looking up
ramps[slot, shade], so it has no blurred pixels, and recolouring changes no shape. Parts of two colours (a coat with
gilt edges) have a second slot for their trim.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHADES = 8
TABLE_SHADES = (0, 1, 3, 4, 6, 7)  # shades of the six colours of a material's table; 2 and 5 stay free
TRIMMED = (
    *("hair", "glasses", "torso", "outer", "shoulders", "waist", "legs", "feet", "hat", "neck", "back"),
    *("weapon", "shield"),
)
SLOTS = (
    *("background", "skin", "eyes", "face", "horns", "arms", "gloves", "bracers", "tail"),
    *(name for slot in TRIMMED for name in (slot, f"{slot} trim")),
)
BACKGROUND = SLOTS.index("background")


def paint(slots: NDArray[np.uint8], shades: NDArray[np.uint8], ramps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Slots and shades (...) and ramps (slots, 8, 3) to RGBA (..., 4); the background is transparent."""
    out = np.zeros((*slots.shape, 4), np.uint8)
    out[..., :3] = ramps[slots, shades]
    out[..., 3] = 255
    out[slots == BACKGROUND] = 0
    return out


def complete(ramps: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Ramps (n, 8, 3) with the shades that are not `known` (n, 8) interpolated; beyond the known ones, repeated.

    A ramp without any known shade stays as it is.
    """
    out = ramps.copy()
    steps = np.arange(SHADES)
    for ramp, has in zip(out, known, strict=True):
        if has.any() and not has.all():
            for channel in range(3):
                ramp[:, channel] = np.rint(np.interp(steps, steps[has], ramp[has, channel]))
    return out


def spread(count: int) -> list[int]:
    """Evenly spread shades for `count` colours in order of luminance.

    >>> spread(3)
    [0, 4, 7]
    """
    if count < 2:
        return [SHADES // 2] * count
    return [(2 * k * (SHADES - 1) + count - 1) // (2 * (count - 1)) for k in range(count)]
