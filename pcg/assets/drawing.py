"""Reading a drawing as the front of a character: enlarged by a whole number, with its feet where others have them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from runtime.content.characters.atlas import FRAME_PX

FEET_PX = 62  # rows above the ground on which the model's characters stand


def read_front(path: Path) -> NDArray[np.uint8]:
    """Read a picture of at most 64x64 pixels with a transparent background as RGBA, uint8 (64, 64, 4).

    It is enlarged by the largest whole number that fits, by nearest neighbour. A figure that is still smaller stands in
    the middle, with its lowest pixel where other characters have their feet.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a picture, is too large, has no alpha or is empty.
    """
    too_large = f"a front has at most {FRAME_PX}x{FRAME_PX} pixels; draw it smaller, or cut one frame out"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(path)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is not a picture that can be read") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is far too large; {too_large}") from error
    with picture:
        if max(picture.size) > FRAME_PX:
            raise ValueError(f"{path} has {picture.width}x{picture.height} pixels; {too_large}")
        if not picture.has_transparency_data:
            raise ValueError(f"{path} has no alpha: save it with a transparent background")
        pixels = np.array(picture.convert("RGBA"))
    if not (pixels[..., 3] >= 128).any():
        raise ValueError(f"{path} is empty: no pixel of it is opaque")
    times = FRAME_PX // max(pixels.shape[:2])
    return _place(pixels.repeat(times, 0).repeat(times, 1))


def _place(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    if height == width == FRAME_PX:
        return pixels
    rows = np.flatnonzero((pixels[..., 3] >= 128).any(1))
    figure = pixels[rows[0] : rows[-1] + 1]
    top, left = max(0, FEET_PX - len(figure)), (FRAME_PX - width) // 2
    front = np.zeros((FRAME_PX, FRAME_PX, 4), np.uint8)
    front[top : top + len(figure), left : left + width] = figure
    return front
