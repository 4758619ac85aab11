"""The themes of the map: the relief with its water, biomes, flow and slope. Each is drawn from layers of the runtime.

Heights are fetched first and alone, as `LAND`: every theme is drawn on their hillshade, and they are the quickest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demos.world import shading
from demos.world.shading import Floats

Layers = Mapping[str, NDArray[Any]]

LAND = "land"  # the relief by heights alone
LAYERS = {
    "relief": ("water", "flow"),
    "biome": ("biome", "water"),
    "flow": ("flow", "water"),
    "slope": ("slope",),
}
THEMES = tuple(LAYERS)
DETAILS = {  # the HUD's name for what a theme adds to the land
    "relief": "Lakes and rivers",
    "biome": "Biomes",
    "flow": "Water's ways",
    "slope": "Slopes",
}

DEPTH_M = 0.25  # of one step of `water`
STEEPNESS_DEGREES = 0.5  # of one step of `slope`

# The least catchment of a watercourse: large enough to feed it all year, and enough pixels to form a valley.
WET_KM2, WET_PIXELS = 1.0, 32
# Width in metres over catchment in km^2, the same as of `terrain.rivers` (docs/layers.md).
CHANNEL_M, CHANNEL_POWER = 2.70, 0.352
WATERCOURSES = ((20.0, "river"), (5.0, "stream"), (0.0, "brook"))  # the least width in metres

# The log2 of the drainage area in pixels, and the colour there; interpolated linearly.
FLOW = (
    (0, (52, 58, 66)), (4, (56, 74, 88)), (9, (50, 118, 148)), (14, (92, 196, 220)), (20, (244, 252, 255)),
)  # fmt: skip
FLOW_WATER = (24, 40, 62)
# Degrees, and the colour there; interpolated linearly.
SLOPE = (
    (0, (246, 243, 230)), (3, (232, 222, 170)), (8, (232, 184, 104)), (16, (214, 104, 62)), (28, (150, 38, 58)),
    (45, (64, 16, 56)),
)  # fmt: skip
SLOPE_SEA = (150, 176, 196)


def colours(
    theme: str, heights: Floats, meters_per_pixel: float, layers: Layers, palette: Sequence[Sequence[int]] = ()
) -> Floats:
    """The picture of a theme: RGB 0 to 255, float32 (h, w, 3).

    Args:
        theme: LAND or one of THEMES.
        heights: metres (h + 2, w + 2).
        meters_per_pixel: of the heights.
        layers: (h, w), those of LAYERS[theme], as the runtime sends them.
        palette: the colours of biomes.

    Raises:
        ValueError: a biome is not in the palette.
    """
    if theme == LAND:
        return shading.colours(heights, meters_per_pixel)
    sea = heights[1:-1, 1:-1] < 0
    if theme == "slope":
        return _ramp(layers["slope"] * np.float32(STEEPNESS_DEGREES), SLOPE, sea, SLOPE_SEA)
    depth = layers["water"] * np.float32(DEPTH_M)
    if theme == "relief":
        return shading.colours(heights, meters_per_pixel, depth, layers["flow"])
    under = sea | (depth > 0)
    light = shading.shadow(*shading.relief(heights, meters_per_pixel), under)
    if theme == "flow":
        pixels = np.maximum(layers["flow"] * np.float32(1e6 / meters_per_pixel**2), 1)
        return shading.lit(_ramp(np.log2(pixels), FLOW, under, FLOW_WATER), light)
    biome = layers["biome"]
    if biome.max() >= len(palette):
        raise ValueError(f"the runtime sent biome {biome.max()}, and names only {len(palette)}")
    return shading.lit(np.array(palette, np.float32)[biome], light)


def reading(theme: str, layers: Layers, names: Sequence[str], meters_per_pixel: float, column: int, row: int) -> str:
    """What a theme tells of a pixel, as text; empty where it tells nothing. `names`: of biomes.

    >>> reading("slope", {"slope": np.array([[0, 27]])}, (), 90.0, 1, 0)
    '13.5° steep'
    """
    here = {name: layer[row, column].item() for name, layer in layers.items()}
    if theme == "slope":
        return f"{here['slope'] * STEEPNESS_DEGREES:.1f}° steep"
    if theme == "biome":
        return names[here["biome"]]
    if here["flow"] == 0:  # the sea, whose depth is its height
        return ""
    what = (
        f"lake, {here['water'] * DEPTH_M:,.0f} m deep"
        if here["water"] > 0
        else watercourse(here["flow"], meters_per_pixel)
    )
    if theme != "flow":
        return what
    digits = ",.0f" if here["flow"] >= 1000 else ".3g"
    return f"{what}; fed by {here['flow']:{digits}} km²"


def watercourse(flow: float, meters_per_pixel: float) -> str:
    """The watercourse in a pixel with a drainage area of `flow` km^2, as text.

    >>> watercourse(0.0081, 90.0), watercourse(50.0, 90.0)
    ('dry ground', 'stream, about 11 m wide')
    """
    if flow < max(WET_KM2, WET_PIXELS * meters_per_pixel**2 / 1e6):
        return "dry ground"
    width = CHANNEL_M * flow**CHANNEL_POWER
    name = next(name for least, name in WATERCOURSES if width >= least)
    return f"{name}, about {width:,.0f} m wide"


def _ramp(
    values: Floats, knots: Sequence[tuple[float, tuple[int, int, int]]], water: NDArray[np.bool_], under: Sequence[int]
) -> Floats:
    """The colours of `knots`, interpolated linearly, and one colour where there is water: RGB float32."""
    at = [value for value, _ in knots]
    channels = [np.interp(values, at, [colour[i] for _, colour in knots]) for i in range(3)]
    return np.where(water[..., None], np.array(under, np.float32), np.stack(channels, -1).astype(np.float32))
