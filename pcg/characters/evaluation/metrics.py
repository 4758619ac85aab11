"""Metrics of sprites: colours, stray pixels, gaps, agreement within and between sheets, nearest neighbours.

Pictures are RGBA uint8 (..., H, W, 4) whose transparent pixels are all zero; sheets are (N, 36, 64, 64, 4).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from runtime.content.characters.atlas import DIRECTIONS, FRAMES
from runtime.content.characters.outlines import gaps
from runtime.content.characters.palettes import colours_of, remove_strays

Pictures = NDArray[np.uint8]
AT_A_TIME = 256  # pictures whose distances are computed together


def colours(pictures: Pictures) -> NDArray[np.int64]:
    """The number of colours of each picture, without the transparent one: (N,)."""
    return np.array([len(colours_of(picture)[0]) for picture in pictures])


def partial_alpha(pictures: Pictures) -> int:
    """The number of pixels that are neither opaque nor transparent."""
    return int(((pictures[..., 3] != 0) & (pictures[..., 3] != 255)).sum())


def stray_pixels(frames: Pictures) -> float:
    """Stray pixels a frame (N, H, W, 4): those in connected pieces of at most three pixels."""
    return float((remove_strays(frames) != frames).any(-1).sum() / len(frames))


def gap_pixels(frames: Pictures) -> float:
    """Pixels a frame (N, H, W, 4) that are gaps in the outline."""
    return float(gaps(frames).sum() / len(frames))


def palette_agreement(one: Pictures, other: Pictures) -> float:
    """The intersection of the colour histograms of two pictures' opaque pixels: 1 for equal histograms."""
    parts = [picture[picture[..., 3] > 0].astype(np.int64) @ (1 << 16, 1 << 8, 1, 0) for picture in (one, other)]
    if not all(map(len, parts)):
        return float(len(parts[0]) == len(parts[1]))
    _, which = np.unique(np.concatenate(parts), return_inverse=True)
    counts = [np.bincount(w, minlength=which.max() + 1) for w in np.split(which, [len(parts[0])])]
    return float(np.minimum(counts[0] / len(parts[0]), counts[1] / len(parts[1])).sum())


def direction_agreement(sheets: Pictures) -> float:
    """Mean palette agreement between the directions of each sheet."""
    split = sheets.reshape(len(sheets), len(DIRECTIONS), FRAMES, *sheets.shape[-3:])
    return float(
        np.mean([palette_agreement(sheet[a], sheet[b]) for sheet in split for a, b in combinations(range(4), 2)])
    )


def step_change(sheets: Pictures) -> float:
    """The share of the figure's pixels that change from a step to the next, and from the last to the first."""
    steps = sheets.reshape(-1, FRAMES, *sheets.shape[-3:])[:, 1:]
    after = np.roll(steps, -1, 1)
    changed = (steps != after).any(-1)
    figure = (steps[..., 3] > 0) | (after[..., 3] > 0)
    return float(changed.sum() / max(1, figure.sum()))


def mean_error(made: Pictures, true: Pictures) -> float:
    """Mean absolute difference of red, green, blue and alpha, 0 to 255, over the pixels that either figure covers."""
    figure = (made[..., 3] > 0) | (true[..., 3] > 0)
    apart = np.abs(made[figure].astype(np.int64) - true[figure])
    return float(apart.mean()) if apart.size else 0.0


def nearest(pictures: Pictures, among: Pictures) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each picture the root mean square difference (0 to 255) to the nearest one of `among`, and its index."""
    flat, others = (p.reshape(len(p), -1).astype(np.float32) for p in (pictures, among))
    squares = (others**2).sum(1)
    found, which = [], []
    for first in range(0, len(flat), AT_A_TIME):
        part = flat[first : first + AT_A_TIME]
        apart = (part**2).sum(1)[:, None] + squares - 2 * part @ others.T
        which.append(apart.argmin(1))
        found.append(np.sqrt(np.maximum(apart.min(1), 0) / flat.shape[1]))
    return np.concatenate(found).astype(np.float64), np.concatenate(which)
