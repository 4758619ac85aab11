"""Repair of pixel art: finds and closes gaps in dark outlines, and fills pinholes.

A figure's rim is its pixels beside a transparent one. A gap is a pixel of the rim that is clearly lighter than the four
pixels around it. In 5,400 hand-drawn frames 0.6 % of the rim is at all lighter than the pixels around it.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.uint8]

LIGHTER = 24  # of 255: the difference in luminance that makes a gap
OUTLINED = 0.6  # the share of a rim that has to be dark, for the rest to count as missing


def gaps(frames: Image) -> NDArray[np.bool_]:
    """Which pixels of frames (..., H, W, 4), alpha 0 or 255, are gaps."""
    flat = np.ascontiguousarray(frames).reshape(-1, *frames.shape[-3:])
    return _gaps(_luminance(flat)).reshape(frames.shape[:-1])


def close_gaps(frames: Image) -> Image:
    """Close the gaps of frames (..., H, W, 4), in colours that the frames have.

    A gap takes the colour of the darkest pixel of the rim that touches it, or, if none of them is darker, of the
    darkest pixel above, below or beside it. A closed gap can make another pixel a gap. Pixels only get darker, so this
    comes to an end.
    """
    out = np.ascontiguousarray(frames).reshape(-1, *frames.shape[-3:]).copy()
    light = _luminance(out)
    while (found := _gaps(light)).any():
        _close(out, light, found)
    return out.reshape(frames.shape)


def complete_outlines(frames: Image) -> Image:
    """Make the whole rim dark in frames (N, H, W, 4) where most of it is.

    A pixel is dark if it is less than LIGHTER lighter than the frame's darkest pixel. Where 60 % or more of the rim is
    dark, the rest gets the colour of the darkest pixel; of equally dark ones, of the first in reading order. A pixel at
    the frame's edge is part of the rim only if a pixel inside the frame beside it is transparent.
    """
    light = _luminance(np.ascontiguousarray(frames))
    solid = light >= 0
    beside = np.pad(solid, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    inner = beside[:, :-2, 1:-1] & beside[:, 2:, 1:-1] & beside[:, 1:-1, :-2] & beside[:, 1:-1, 2:]
    darkness = np.where(solid, light, 256).reshape(len(light), -1)
    place = darkness.argmin(1)
    each = np.arange(len(light))
    rim = solid & ~inner
    missing = rim & (light >= (darkness[each, place] + LIGHTER)[:, None, None])
    missing &= (missing.sum((1, 2)) <= (1 - OUTLINED) * rim.sum((1, 2)))[:, None, None]
    ink = frames.reshape(len(light), -1, 4)[each, place]
    return np.where(missing[..., None], ink[:, None, None], frames)


def fill_pinholes(frames: Image) -> Image:
    """Fill the pinholes of frames (N, H, W, 4): transparent pixels between four opaque ones.

    A pinhole takes the second darkest colour of the four, which usually is neither the outline's nor a highlight's.
    """
    light = np.pad(_luminance(np.ascontiguousarray(frames)), ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    around = np.stack([light[:, :-2, 1:-1], light[:, 2:, 1:-1], light[:, 1:-1, :-2], light[:, 1:-1, 2:]])
    n, y, x = np.nonzero((light[:, 1:-1, 1:-1] < 0) & (around >= 0).all(0))
    second = around[:, n, y, x].argsort(0, kind="stable")[1]
    out = frames.copy()
    out[n, y, x] = frames[n, y + np.array([-1, 1, 0, 0])[second], x + np.array([0, 0, -1, 1])[second]]
    return out


@njit(cache=True, nogil=True)
def _luminance(frames: Image) -> NDArray[np.int16]:
    """The luminance, 0 to 255; -1 where transparent."""
    light = np.empty(frames.shape[:3], np.int16)
    for n in range(frames.shape[0]):
        for y in range(frames.shape[1]):
            for x in range(frames.shape[2]):
                red, green, blue, alpha = frames[n, y, x]
                light[n, y, x] = (np.int64(red) * 299 + np.int64(green) * 587 + np.int64(blue) * 114) // 1000
                if alpha == 0:
                    light[n, y, x] = -1
    return light


@njit(cache=True, nogil=True)
def _gaps(light: NDArray[np.int16]) -> NDArray[np.bool_]:
    count, height, width = light.shape
    found = np.zeros(light.shape, np.bool_)
    for n in range(count):
        for y in range(height):
            for x in range(width):
                own = light[n, y, x]
                if own < LIGHTER:
                    continue
                up = light[n, y - 1, x] if y > 0 else -1
                down = light[n, y + 1, x] if y + 1 < height else -1
                left = light[n, y, x - 1] if x > 0 else -1
                right = light[n, y, x + 1] if x + 1 < width else -1
                rim = min(up, down, left, right) < 0
                found[n, y, x] = rim and 0 <= max(up, down, left, right) <= own - LIGHTER
    return found


@njit(cache=True, nogil=True)
def _close(frames: Image, light: NDArray[np.int16], found: NDArray[np.bool_]) -> None:
    """Close the gaps that were found, one after the other, in place."""
    count, height, width = light.shape
    padded = np.full((height + 4, width + 4), -1, np.int64)  # two pixels more: neighbours of neighbours are read
    for n in range(count):
        if not found[n].any():
            continue
        padded[2:-2, 2:-2] = light[n]
        for y in range(height):
            for x in range(width):
                if not found[n, y, x]:
                    continue
                best, row, column = 1 << 20, y, x
                for v in range(y + 1, y + 4):
                    for u in range(x + 1, x + 4):
                        its = padded[v, u]
                        if its < 0 or its > padded[y + 2, x + 2] - LIGHTER:
                            continue
                        rim = min(padded[v - 1, u], padded[v + 1, u], padded[v, u - 1], padded[v, u + 1]) < 0
                        if not rim and v != y + 2 and u != x + 2:
                            continue
                        rank = its if rim else its + 1000
                        if rank < best:
                            best, row, column = rank, v - 2, u - 2
                frames[n, y, x] = frames[n, row, column]
                light[n, y, x] = padded[y + 2, x + 2] = light[n, row, column]
