"""Palettes of pixel art: a whole sheet in few colours, exactly and always alike; stray pixels; palette files.

Images are RGBA uint8 (..., 4) whose alpha is 0 or 255; a transparent pixel is all zero. A palette is uint8 (n, 3).
Distances are whole numbers and ties go to the first, so a result is the same on every machine.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from runtime.errors import did_you_mean

Image = NDArray[np.uint8]
Palette = NDArray[np.uint8]

LARGEST = 256  # colours of a palette file or an indexed picture
PAIRED = 320  # colours up to which all pairs are compared
WEIGHTS = (2, 4, 3)  # of red, green and blue in a distance, roughly as the eye has it
NEVER = 1 << 20  # more than any distance
STRAY = 3  # pixels up to which a piece that touches nothing is a stray
SUFFIXES = (".gpl", ".hex")


def crisp(image: Image) -> Image:
    """The image with alpha 0 or 255: what is at least half opaque stays, and keeps its colour."""
    out = image.copy()
    solid = image[..., 3] >= 128
    out[solid, 3] = 255
    out[~solid] = 0
    return out


def colours_of(image: Image) -> tuple[Palette, NDArray[np.int64]]:
    """The colours of an image's opaque pixels and how often each occurs, the most frequent first, then by value."""
    opaque = image[image[..., 3] > 0].astype(np.int64)
    values, counts = np.unique((opaque[:, 0] << 16) | (opaque[:, 1] << 8) | opaque[:, 2], return_counts=True)
    order = np.lexsort((values, -counts))
    return _unpack(values[order]), counts[order]


def _unpack(values: NDArray[np.int64]) -> Palette:
    return np.stack([values >> 16, values >> 8 & 255, values & 255], -1).astype(np.uint8)


def distances(colours: Palette, others: Palette) -> NDArray[np.int64]:
    """Weighted squared distances (n, m)."""
    apart = colours.astype(np.int64)[:, None] - others
    squares: NDArray[np.int64] = (apart * apart * np.array(WEIGHTS)).sum(-1)
    return squares


def reduce_colours(image: Image, limit: int) -> Image:
    """The image in at most `limit` of its own colours.

    Whole colours are replaced, one after the other: always the one whose pixels lose least by becoming another, which
    has more pixels. So what is left is the artist's choice of colours, not a mean of some.

    Raises:
        ValueError: limit is not 1 to 256.
    """
    if not 1 <= limit <= LARGEST:
        raise ValueError(f"{limit} colours: 1 to {LARGEST}")
    colours, counts = colours_of(image)
    if len(colours) <= limit:
        return image.copy()
    coarse = _gather(colours)
    kept = np.unique(coarse)  # the first, so the most frequent, of every gathering
    weights = np.bincount(np.searchsorted(kept, coarse), counts).astype(np.int64)
    order = np.lexsort((kept, -weights))
    chosen = _join(distances(colours[kept[order]], colours[kept[order]]), weights[order], limit)
    return snap(image, colours[kept[order]][chosen])


def _gather(colours: Palette) -> NDArray[np.int64]:
    """For each colour the first one that shares its leading bits, as many bits as leave PAIRED colours or fewer."""
    for bits in range(8, 0, -1):
        keys = (colours >> (8 - bits)).astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        if len(first) <= PAIRED:
            return first[which]
    raise AssertionError("one bit a channel leaves eight colours")


def _join(apart: NDArray[np.int64], weights: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Numbers of the colours left, of those that are ordered by weight; a colour may only join one before it."""
    weights = weights.copy()
    count = len(weights)
    costs = np.where(np.tri(count, k=-1, dtype=bool), apart, NEVER)
    left = np.ones(count, bool)
    for _ in range(count - limit):
        nearest = costs.argmin(1)
        loss = np.where(left, costs[np.arange(count), nearest] * weights, np.iinfo(np.int64).max)
        loss[0] = np.iinfo(np.int64).max  # the most frequent stays
        gone = int(loss.argmin())
        weights[nearest[gone]] += weights[gone]
        left[gone] = False
        costs[:, gone] = NEVER
    return np.flatnonzero(left)


def snap(image: Image, palette: Palette) -> Image:
    """The image with every colour replaced by the nearest of a palette; of equally near ones, the first."""
    opaque = image[..., 3] > 0
    packed = image[opaque].astype(np.int64) @ np.array([1 << 16, 1 << 8, 1, 0])
    values, which = np.unique(packed, return_inverse=True)
    nearest = np.concatenate([distances(part, palette).argmin(1) for part in _parts(_unpack(values))])
    out = np.zeros_like(image)
    out[opaque, :3] = palette[nearest[which]]
    out[opaque, 3] = 255
    return out


def _parts(colours: Palette) -> list[Palette]:
    """The colours in parts, so that their distances fit in little memory; at least one part."""
    return [colours[i : i + 4096] for i in range(0, max(1, len(colours)), 4096)]


def indexed(image: Image) -> tuple[NDArray[np.uint8], Palette]:
    """Palette indices (...) and a palette whose entry 0 stands for transparent pixels; the most frequent colour is 1.

    Raises:
        ValueError: the image has more than 255 colours.
    """
    colours, _ = colours_of(image)
    if len(colours) >= LARGEST:
        raise ValueError(f"{len(colours)} colours don't fit in an indexed picture, which holds 255; reduce them first")
    keys = np.array([1 << 16, 1 << 8, 1])
    values = colours.astype(np.int64) @ keys
    order = np.argsort(values)
    packed = image[..., :3].astype(np.int64) @ keys
    found = np.searchsorted(values[order], packed).clip(max=max(0, len(order) - 1))
    indices = (order[found] + 1 if len(order) else found) * (image[..., 3] > 0)
    return indices.astype(np.uint8), np.concatenate([np.zeros((1, 3), np.uint8), colours])


def remove_strays(frames: Image, most: int = STRAY) -> Image:
    """Frames (..., H, W, 4) without the pieces of up to `most` pixels that touch nothing else, not even at a corner."""
    flat = np.ascontiguousarray(frames[..., 3] > 0).reshape(-1, *frames.shape[-3:-1])
    out = frames.copy()
    out[_strays(flat, most).reshape(frames.shape[:-1])] = 0
    return out


@njit(cache=True, nogil=True)
def _strays(solid: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """Where the 8-connected pieces of up to `most` pixels are, in each picture of (N, H, W)."""
    count, height, width = solid.shape
    stray = np.zeros(solid.shape, np.bool_)
    seen = np.zeros((height, width), np.bool_)
    rows, columns = np.empty(height * width, np.int64), np.empty(height * width, np.int64)
    for n in range(count):
        seen[:] = False
        for y in range(height):
            for x in range(width):
                if not solid[n, y, x] or seen[y, x]:
                    continue
                rows[0], columns[0], size, at = y, x, 1, 0
                seen[y, x] = True
                while at < size:
                    for v in range(max(0, rows[at] - 1), min(height, rows[at] + 2)):
                        for u in range(max(0, columns[at] - 1), min(width, columns[at] + 2)):
                            if solid[n, v, u] and not seen[v, u]:
                                seen[v, u] = True
                                rows[size], columns[size] = v, u
                                size += 1
                    at += 1
                if size <= most:
                    for k in range(size):
                        stray[n, rows[k], columns[k]] = True
    return stray


def read_palette(text: str, name: str) -> Palette:
    """The colours of a palette file: GIMP's .gpl, or .hex with one rrggbb a line. `name` is the file's, for its suffix.

    Raises:
        ValueError: the suffix is neither, a line is wrong (which one), or there are no colours, or more than 256.
    """
    suffix = "." + name.rpartition(".")[2].lower()
    if suffix not in SUFFIXES:
        near = did_you_mean(suffix, SUFFIXES) or f"; there are: {', '.join(SUFFIXES)}"
        raise ValueError(f"{name}: no palette format is called {suffix!r}{near}")
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    if suffix == ".gpl":
        if not lines or lines[0] != "GIMP Palette":
            raise ValueError(f"{name} does not begin with the line 'GIMP Palette'")
        numbered = [(k, line) for k, line in enumerate(lines, 1) if line[:1].isdecimal()]
        colours = [_gpl_colour(line, name, k) for k, line in numbered]
    else:
        numbered = [(k, line) for k, line in enumerate(lines, 1) if line and not line.startswith(";")]
        colours = [_hex_colour(line, name, k) for k, line in numbered]
    if not 1 <= len(colours) <= LARGEST:
        raise ValueError(f"{name} holds {len(colours)} colours; a palette has 1 to {LARGEST}")
    return np.array(colours, np.uint8)


def _gpl_colour(line: str, name: str, number: int) -> list[int]:
    values = line.split(maxsplit=3)[:3]
    if len(values) < 3 or not all(v.isdecimal() and int(v) <= 255 for v in values):
        raise ValueError(f"{name}, line {number}: {line!r} does not begin with red, green and blue, 0 to 255 each")
    return [int(v) for v in values]


def _hex_colour(line: str, name: str, number: int) -> list[int]:
    digits = line.removeprefix("#")
    try:
        if len(digits) != 6:
            raise ValueError
        return list(bytes.fromhex(digits))
    except ValueError:
        raise ValueError(f"{name}, line {number}: {line!r} is no colour of the form rrggbb") from None
