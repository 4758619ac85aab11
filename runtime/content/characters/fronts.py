"""Fronts that a user drew: the check of a drawn front, and the colours of its sheet."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.content.characters.atlas import FRAME_PX
from runtime.content.characters.palettes import colours_of, crisp, reduce_colours, snap
from runtime.content.checks import invalid, parameter_error
from runtime.errors import Code

Image = NDArray[np.uint8]

SHAPE = (FRAME_PX, FRAME_PX, 4)
SIZE = f"{FRAME_PX}x{FRAME_PX} pixels"
MOST_COLOURS = 64  # of a sheet, the transparent one included
FEWEST_PIXELS = 16  # of a figure


def check_front(front: Any) -> Image:
    """The front, RGBA (64, 64, 4), with alpha 0 or 255.

    Raises:
        RpcError: INVALID_PARAMS for anything but an RGBA array, for an empty front and for one without a transparent
            background; OUT_OF_RANGE for another size.
    """
    if not isinstance(front, np.ndarray) or front.dtype != np.uint8 or front.ndim != 3:
        array = isinstance(front, np.ndarray)
        what = f"an array of shape {list(front.shape)}, {front.dtype}" if array else type(front).__name__
        raise invalid("front", f"it is {what}; it must be an array of bytes, [{FRAME_PX}, {FRAME_PX}, 4], RGBA")
    if front.shape[2] == 3:
        raise invalid("front", "it has no alpha; give RGBA, with alpha 0 around the figure")
    if front.shape != SHAPE:
        told = f"{front.shape[1]}x{front.shape[0]} pixels with {front.shape[2]} channels"
        message = f"front: it has {told}; {SIZE} of RGBA would do"
        raise parameter_error(Code.OUT_OF_RANGE, "front", message, value=list(front.shape), expected=list(SHAPE))
    clear = crisp(front)
    solid = int((clear[..., 3] > 0).sum())
    if solid < FEWEST_PIXELS:
        what = f"it is empty: {solid} of its pixels are opaque, and a figure has {FEWEST_PIXELS} at least"
        raise invalid("front", what)
    if solid == FRAME_PX * FRAME_PX:
        what = "it has no transparent pixel, so nobody can tell figure from background; give alpha 0 around it"
        raise invalid("front", what)
    return clear


def in_colours(front: Image, colours: int, palette: NDArray[np.uint8]) -> Image:
    """The front in at most `colours` colours, the transparent one included.

    `palette` (n, 3): the only colours to use; empty for no such limit.
    """
    if len(palette):
        front = snap(front, palette)
    return reduce_colours(front, min(colours, MOST_COLOURS) - 1)


def colour_count(image: Image) -> int:
    """The number of colours of an image, the transparent one included."""
    return len(colours_of(image)[0]) + 1


def digest(front: Image) -> str:
    """The SHA-256 of a front's pixels, hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(front).tobytes()).hexdigest()
