"""Measures of small pictures. All are ratios of whole numbers, so that they are the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

# Hues in degrees, and what people call them. Where saturation or value is low, there is no hue to speak of.
HUES = (
    ("red", 345, 15),
    ("orange", 15, 40),
    ("yellow", 40, 70),
    ("green", 70, 165),
    ("cyan", 165, 195),
    ("blue", 195, 255),
    ("purple", 255, 290),
    ("pink", 290, 345),
)
GREYS = ("black", "grey", "white")
NAMES = (*(name for name, _, _ in HUES), *GREYS)
MEASURES: Mapping[str, str] = {
    "colours": "how many colours the picture has",
    "coverage": "share of the pixels that are opaque",
    "brightness": "mean of the largest channel, 0 to 1",
    "saturation": "mean saturation (of HSV), 0 to 1",
    **{name: f"share of the opaque pixels that are {name}" for name in NAMES},
}
TAGS: Mapping[str, str] = {"colour": f"the colour of most pixels that are not black or grey: {', '.join(NAMES)}"}


def measure(image: NDArray[np.uint8]) -> tuple[dict[str, float], dict[str, str]]:
    """The measures and tags of RGBA (H, W, 4).

    >>> measure(np.full((2, 2, 4), (200, 10, 10, 255), np.uint8))[1]
    {'colour': 'red'}
    """
    pixels = image[image[..., 3] > 0][:, :3].astype(np.int64)
    total = max(1, len(pixels))
    high, low = (f(pixels, axis=1, initial=0) if len(pixels) else np.zeros(0, np.int64) for f in (np.max, np.min))
    low = pixels.min(axis=1) if len(pixels) else low
    span = high - low
    names = _names(pixels, high, span)
    counts = {name: int((names == number).sum()) for number, name in enumerate(NAMES)}
    saturation = (255 * span // np.maximum(high, 1)).sum() / (255 * total)
    measures = {
        "colours": float(len(np.unique(pixels, axis=0))),
        "coverage": round(len(pixels) / (image.shape[0] * image.shape[1]), 4),
        "brightness": round(int(high.sum()) / (255 * total), 4),
        "saturation": round(float(saturation), 4),
        **{name: round(count / total, 4) for name, count in counts.items()},
    }
    bright = {name: count for name, count in counts.items() if name not in ("black", "grey")}
    most = max(bright, key=lambda name: bright[name])  # the first of equals
    return measures, {"colour": most if bright[most] else "grey"}


def _names(pixels: NDArray[np.int64], high: NDArray[np.int64], span: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number in NAMES of each pixel's colour."""
    red, green, blue = pixels.T
    safe = np.maximum(span, 1)
    # The hue in degrees, in whole numbers (Smith, Color gamut transform pairs, SIGGRAPH 1978).
    hue = np.where(
        high == red,
        60 * (green - blue) // safe,
        np.where(high == green, 120 + 60 * (blue - red) // safe, 240 + 60 * (red - green) // safe),
    )
    hue %= 360
    names = np.zeros(len(pixels), np.int64)
    for number, (_, first, end) in enumerate(HUES):
        inside = (first <= hue) & (hue < end) if first < end else (first <= hue) | (hue < end)
        names[inside] = number
    grey = (5 * span < high) | (span < 24)  # saturation below a fifth
    names[grey] = len(HUES) + 1
    names[grey & (high >= 200)] = len(HUES) + 2
    names[high < 48] = len(HUES)
    return names
