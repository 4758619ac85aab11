"""Shades heights: hypsometric tints, multiplied by a soft hillshade.

A pixel's colour depends only on it and its eight neighbours, never on its chunk, so chunks meet without a seam. Light
comes from the north-west, as is usual in cartography (relief that is lit from the south seems inverted).

The tints, from low to high: the sea from navy at 4,000 m over blue to turquoise at the shore; a beach to 15 m;
lowland greens; olive and brown uplands; grey rock; snow. Steep ground has the colour of rock and no snow. Lakes and
rivers are drawn where they are known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]  # (height, width, 3), RGB

EXAGGERATION = 2.0  # of heights in the hillshade; without it land at 90 m a pixel looks flat
SMOOTHING = 0.35  # slopes fall with about this power of a pixel's size; shading undoes that, so that levels look alike

# Metres and colours, interpolated linearly. 0 m is in both tables, since the shore is a hard edge.
SEA = (
    (-4000, (14, 38, 82)),
    (-1500, (27, 67, 121)),
    (-500, (40, 96, 150)),
    (-150, (60, 128, 174)),
    (-40, (94, 163, 193)),
    (-8, (134, 196, 208)),
    (0, (160, 213, 215)),
)
LAND = (
    (0, (222, 208, 163)),
    (8, (214, 205, 156)),
    (22, (156, 181, 116)),
    (120, (112, 158, 92)),
    (350, (126, 163, 92)),
    (700, (160, 173, 105)),
    (1100, (187, 174, 118)),
    (1600, (181, 152, 110)),
    (2200, (160, 136, 113)),
    (2700, (150, 139, 128)),
    (3300, (156, 151, 146)),
    (9000, (170, 168, 166)),
)
ROCK = (142, 134, 125)
SNOW = (246, 248, 252)
SNOW_LINE_M = (2500.0, 3200.0)  # where snow begins, and where it covers all that is not steep
ROCK_SLOPE = (0.35, 0.95)  # rise over run at 90 m a pixel where rock begins to show, and where it covers all
LAKE_M = (45.0, 3.0)  # a lake has the colour of sea of this depth, plus this much for each metre of its own depth
RIVER = (54, 112, 172)
RIVER_PIXELS = 3000  # the drainage area at which a river begins: 24 km^2 at 90 m a pixel, 6,200 km^2 at 1,440 m

WRAP = np.float32(0.2)  # how far sunlight reaches beyond the edge of the shadow, as a cosine
SKY = np.float32(0.32)  # the share of skylight in the light

_LIGHT = np.array([-0.5, -0.5, 0.7071], np.float32)  # towards the sun: east, south, up
_WARMTH = np.array([1.05, 1.0, 0.90], np.float32)  # the strength of the shade in each channel: shadows are bluish
_LOWEST_M, _HIGHEST_M = SEA[0][0], LAND[-1][0]


def shade(heights: Floats, meters_per_pixel: float) -> Picture:
    """The picture of all but the outermost pixels: metres (h + 2, w + 2) float32 to RGB (h, w, 3) uint8.

    Rows go south, columns east. The outermost pixels only serve to compute their neighbours' slopes.
    """
    return np.rint(colours(heights, meters_per_pixel)).astype(np.uint8)


def pyramid(picture: Floats, levels: int) -> list[Picture]:
    """A mip pyramid of `levels` pictures: the picture (h, w, 3), rounded, then each at half the size of the one before.

    A pixel is the mean of four. h and w are multiples of 2^(levels - 1).
    """
    pictures = [np.rint(picture).astype(np.uint8)]
    for _ in range(levels - 1):
        rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
        picture = picture.reshape(rows, 2, columns, 2, 3).mean((1, 3))
        pictures.append(np.rint(picture).astype(np.uint8))
    return pictures


def colours(
    heights: Floats, meters_per_pixel: float, water: Floats | None = None, flow: Floats | None = None
) -> Floats:
    """Like `shade`, but not rounded: RGB 0 to 255, float32 (h, w, 3).

    Args:
        heights: metres (h + 2, w + 2); below 0 is sea.
        meters_per_pixel: of the heights.
        water: the depth of lakes in metres (h, w).
        flow: the drainage area in km^2 (h, w).
    """
    east, south = relief(heights, meters_per_pixel)
    inner = heights[1:-1, 1:-1]
    under = inner < 0
    picture = tint(inner, np.hypot(east, south))
    if water is not None:
        lake = (water > 0) & ~under
        under = under | lake
        picture[lake] = tint(-LAKE_M[0] - LAKE_M[1] * water[lake], np.zeros_like(water[lake]))
    light = shadow(east, south, under)
    if flow is not None:
        share = river(flow, meters_per_pixel) * ~under
        picture += share[..., None] * (np.array(RIVER, np.float32) - picture)
        light += share * (1 - light)
    return lit(picture, light)


def lit(picture: Floats, light: Floats) -> Floats:
    """Multiply colours (h, w, 3) in place by a light (h, w), which is 1 on flat ground."""
    picture *= 1 + (light - 1)[..., None] * _WARMTH
    return np.clip(picture, 0, 255, out=picture)


def shadow(east: Floats, south: Floats, under_water: NDArray[np.bool_]) -> Floats:
    """The hillshade of slopes, weaker under water."""
    light = hillshade(east, south)
    return np.where(under_water, 1 + 0.25 * (light - 1), light)


def river(flow: Floats, meters_per_pixel: float) -> Floats:
    """The share of a pixel that a river covers, by its drainage area in km^2: 0 for no river, at most 0.95."""
    begins = RIVER_PIXELS * meters_per_pixel**2 / 1e6
    size = np.log2(np.maximum(flow, begins) / np.float32(begins))  # doublings
    result: Floats = np.where(flow >= begins, np.minimum(0.45 + 0.1 * size, 0.95), 0).astype(np.float32)
    return result


def relief(heights: Floats, meters_per_pixel: float) -> tuple[Floats, Floats]:
    """Like `gradient`, scaled to the slopes that such ground has at 90 m a pixel."""
    east, south = gradient(heights, meters_per_pixel)
    factor = np.float32((meters_per_pixel / 90) ** SMOOTHING)
    return east * factor, south * factor


def gradient(heights: Floats, meters_per_pixel: float) -> tuple[Floats, Floats]:
    """The slope to the east and to the south, rise over run: (h + 2, w + 2) to (h, w) each.

    Horn's weights (1981, "Hill shading and the reflectance map"): central differences, smoothed across.
    """
    columns = heights[:-2] + 2 * heights[1:-1] + heights[2:]
    rows = heights[:, :-2] + 2 * heights[:, 1:-1] + heights[:, 2:]
    per_metre = np.float32(1 / (8 * meters_per_pixel))
    return (columns[:, 2:] - columns[:, :-2]) * per_metre, (rows[2:] - rows[:-2]) * per_metre


def hillshade(east: Floats, south: Floats) -> Floats:
    """The brightness of a slope relative to flat ground: float32, 0.35 to 1.3.

    It is the sum of sunlight that reaches a little beyond the edge of the shadow ("wrapped" Lambert) and of skylight,
    which is strongest on flat ground. So no shadow is black or has a hard edge.
    """
    east, south = east * EXAGGERATION, south * EXAGGERATION
    up = 1 / np.sqrt(1 + east * east + south * south)
    facing = (_LIGHT[2] - _LIGHT[0] * east - _LIGHT[1] * south) * up  # cosine of the angle to the sun
    sun = np.maximum(facing + WRAP, 0) / (_LIGHT[2] + WRAP)
    result: Floats = SKY * (0.5 + 0.5 * up) + (1 - SKY) * sun
    return result


def tint(heights: Floats, slope: Floats) -> Floats:
    """The colour of ground without light, by height in metres and slope: (…) to RGB (…, 3) float32."""
    index = np.floor(np.clip(heights, _LOWEST_M, _HIGHEST_M)).astype(np.intp) - _LOWEST_M
    picture = _TINTS[index]
    bare = smoothstep(slope, *ROCK_SLOPE) * (heights >= 0)
    picture += (0.7 * bare)[..., None] * (np.array(ROCK, np.float32) - picture)
    # On steep ground the snow line is higher, and the steepest ground has little snow.
    lying = smoothstep(heights - 500 * slope, *SNOW_LINE_M) * (1 - 0.75 * smoothstep(slope, 0.6, 1.3))
    picture += lying[..., None] * (np.array(SNOW, np.float32) - picture)
    return picture


def smoothstep(x: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, a smooth cubic between."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    result: Floats = t * t * (3 - 2 * t)
    return result


def _tints() -> Floats:
    """The colour of every whole metre from _LOWEST_M to _HIGHEST_M: (n, 3) float32."""
    metres = np.arange(_LOWEST_M, _HIGHEST_M + 1)
    table = np.empty((len(metres), 3), np.float32)
    for knots, part in ((SEA, metres < 0), (LAND, metres >= 0)):
        at = [height for height, _ in knots]
        for channel in range(3):
            table[part, channel] = np.interp(metres[part], at, [colour[channel] for _, colour in knots])
    return table


_TINTS = _tints()
