"""The layers of a terrain chunk beside its heights: what each is, and how it is computed.

Each layer is a pure function of seed, place and heights, never of the window asked for. It uses only IEEE's four
operations and square roots, one at a time, and thresholds instead of angles, so it is the same on every machine.
docs/layers.md describes the layers and their limits.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.content.terrain import climate
from runtime.content.terrain.fields import Float64s
from runtime.content.terrain.ground import STEPS_A_METRE
from runtime.content.terrain.measures import METRES_PER_PIXEL, OFFSET_M, SCALE_M
from runtime.content.terrain.regions import Water


class Layer(NamedTuple):
    """One layer of a chunk: an array (H, W), or (H, W, channels) for more than one channel."""

    dtype: str
    channels: int
    unit: str
    description: str


LAYERS = {
    "height": Layer("<u2", 1, "0.25 m above -4096 m", "height of the ground, the sea's and lakes' floor included"),
    "normal": Layer("|i1", 3, "1/127", "the ground's normal: east, north, up"),
    "slope": Layer("|u1", 1, "0.5 degrees", "steepness of the ground, 0 to 180"),
    "water": Layer("<u2", 1, "0.25 m", "depth of the sea or a lake; 0 where dry"),
    "flow": Layer("<f4", 1, "km^2", "land that drains through a pixel, itself included; 0 in the sea"),
    "biome": Layer("|u1", 1, "index into the palette", "what grows there, by temperature and moisture"),
    "splat": Layer("|u1", 4, "1/255", "ground cover: shares of rock, grass, sand, snow; their sum is 255"),
}
NEED_WATER = frozenset({"water", "flow", "biome", "splat"})

# tan^2 of 0.25, 0.75 ... 89.75 degrees, half-way between half degrees. 12 digits are the same in every libm.
SLOPE_EDGES = np.array([float(f"{math.tan(math.radians((k - 0.5) / 2)):.11e}") for k in range(1, 181)]) ** 2


def gradient(frame: Float64s, metres_per_pixel: float) -> tuple[Float64s, Float64s]:
    """The slope to the east and to the north, in metres a metre, by central differences.

    `frame`: (H + 2, W + 2) metres, rows from north to south. Both results are (H, W).
    """
    span = 2.0 * metres_per_pixel
    return (frame[1:-1, 2:] - frame[1:-1, :-2]) / span, (frame[:-2, 1:-1] - frame[2:, 1:-1]) / span


def normals(frame: Float64s, metres_per_pixel: float) -> NDArray[np.int8]:
    """The ground's normals: int8 (H, W, 3), unit vectors times 127, from heights (H + 2, W + 2) in metres.

    x is east, y north, z up: a right-handed frame. Rounding turns a normal by less than half a degree.
    """
    east, north = gradient(frame, metres_per_pixel)
    scale = 127.0 / np.sqrt(east * east + north * north + 1.0)
    return np.rint(np.stack([-east * scale, -north * scale, scale], axis=-1)).astype(np.int8)


def slope(frame: Float64s, metres_per_pixel: float) -> NDArray[np.uint8]:
    """Steepness in half degrees, to the nearest: uint8 (H, W), from heights (H + 2, W + 2) in metres."""
    east, north = gradient(frame, metres_per_pixel)
    return np.searchsorted(SLOPE_EDGES, east * east + north * north, side="right").astype(np.uint8)


def quarter_metres(steps: NDArray[np.int32]) -> NDArray[np.uint16]:
    """Heights in 1/64 m as the wire carries them. Heights out of its range saturate."""
    a_quarter = int(STEPS_A_METRE * SCALE_M)
    quarters = (steps + a_quarter // 2) // a_quarter - int(OFFSET_M / SCALE_M)
    return quarters.clip(0, 65535).astype(np.uint16)


def water(ground: NDArray[np.int32], surface: NDArray[np.int32]) -> NDArray[np.uint16]:
    """The depth in quarter metres: uint16 (H, W), from ground and water surface in 1/64 m.

    Both are rounded as `height` is before they are subtracted, so that height + water is a level surface.
    """
    return quarter_metres(surface) - quarter_metres(ground)


def flow(accumulation: NDArray[np.int64], metres_per_pixel: float) -> NDArray[np.float32]:
    """The drainage area in km^2: float32 (H, W), from the same in pixels of the level."""
    return (accumulation * (metres_per_pixel * metres_per_pixel) / 1e6).astype(np.float32)


def compute(
    names: Collection[str], seed: int, x: int, y: int, lod: int, frame: NDArray[np.int32], waters: Water | None = None
) -> dict[str, NDArray[Any]]:
    """The layers asked for, except `height`. What several layers need is computed once.

    Args:
        names: which of LAYERS.
        seed: the world's.
        x: world pixel (level 0) of the top-left corner.
        y: likewise.
        lod: the level.
        frame: the ground in 1/64 m (H + 2, W + 2), one pixel more on every side.
        waters: the water (H, W), from Regions; for the layers in NEED_WATER.

    Raises:
        ValueError: a layer needs waters, and there are none.
    """
    if waters is None and NEED_WATER & set(names):
        raise ValueError(f"{', '.join(sorted(NEED_WATER & set(names)))} need the water of the window")
    pixel = METRES_PER_PIXEL * 2**lod
    heights = frame / STEPS_A_METRE
    layers: dict[str, NDArray[Any]] = {}
    if "normal" in names:
        layers["normal"] = normals(heights, pixel)
    if "slope" in names:
        layers["slope"] = slope(heights, pixel)
    if waters is None:
        return layers
    depth = water(frame[1:-1, 1:-1], waters.surface)
    if "water" in names:
        layers["water"] = depth
    if "flow" in names:
        layers["flow"] = flow(waters.accumulation, pixel)
    if "biome" in names or "splat" in names:
        weather = climate.climate(seed, x, y, lod, heights[1:-1, 1:-1])
        if "biome" in names:
            layers["biome"] = climate.biome(heights, depth, pixel, weather)
        if "splat" in names:
            east, north = gradient(heights, pixel)
            layers["splat"] = climate.splat(heights, depth, pixel, east * east + north * north, weather)
    return layers
