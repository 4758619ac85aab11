"""Climate, biomes and ground cover.

A biome follows from mean annual temperature and moisture, as in Whittaker's diagram (Whittaker 1975, "Communities and
Ecosystems"). Both are smooth noise over the world, so a climate zone is some hundred kilometres wide. High land is
colder. Noise of a few pixels makes the edges of biomes irregular; without it they would follow contour lines.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.content.terrain.fields import Float64s, centres, gradient_noise, key, white_noise

STREAM_TEMPERATURE, STREAM_MOISTURE, STREAM_DITHER = 10_000, 10_100, 10_200  # models use the streams below

# Octaves: spacing of the lattice in pixels of 90 m, and weight. Waves are one to two spacings long.
TEMPERATURE_OCTAVES = ((1 << 14, 1.0), (1 << 12, 0.25))  # about 2,000 km and 500 km
MOISTURE_OCTAVES = ((1 << 12, 1.0), (1 << 9, 0.45))  # about 600 km and 80 km
DITHER_OCTAVES = ((1 << 5, 1.0), (1 << 3, 0.7))
DITHER_WHITE = 0.12

MEAN_C, SWING_C = 13.0, 62.0  # of the temperature at sea level: the noise deviates by 0.22
COLDEST_C, HOTTEST_C = -28.0, 30.0
LAPSE_C_PER_M = 0.0065
MOISTURE_MEAN, MOISTURE_SWING = 0.46, 1.0
COAST_MOISTURE, COAST_M = 0.12, 200.0  # land at sea level is that much wetter; the effect ends at this height
DITHER_C, DITHER_MOISTURE = 1.3, 0.05

BEACH_M, BEACH_PIXEL_M = 12.0, 400.0  # a beach is lower than this; its pixels are no larger than this


class Biome(NamedTuple):
    """An entry of the palette: its name, and its colour (sRGB) on a map."""

    name: str
    rgb: tuple[int, int, int]


PALETTE = (
    Biome("ocean", (38, 84, 140)),
    Biome("lake", (72, 134, 186)),
    Biome("beach", (226, 210, 160)),
    Biome("ice", (242, 247, 250)),
    Biome("tundra", (168, 172, 158)),
    Biome("taiga", (74, 110, 92)),
    Biome("temperate forest", (86, 138, 70)),
    Biome("temperate rainforest", (46, 108, 84)),
    Biome("grassland", (164, 182, 98)),
    Biome("shrubland", (168, 156, 96)),
    Biome("desert", (222, 188, 124)),
    Biome("savanna", (196, 184, 82)),
    Biome("tropical seasonal forest", (104, 152, 48)),
    Biome("tropical rainforest", (28, 108, 44)),
)
OCEAN, LAKE, BEACH, ICE, TUNDRA, TAIGA, FOREST, RAINFOREST = range(8)
GRASSLAND, SHRUBLAND, DESERT, SAVANNA, TROPICAL_SEASONAL, TROPICAL_RAINFOREST = range(8, 14)

TEMPERATURE_BANDS = (-9.0, -2.0, 5.0, 12.0, 20.0)  # degrees Celsius
MOISTURE_BANDS = (0.18, 0.32, 0.45, 0.7)
WHITTAKER = np.array(
    [  # columns from dry to wet, rows from cold to hot
        [ICE, ICE, ICE, ICE, ICE],
        [TUNDRA, TUNDRA, TUNDRA, TUNDRA, TUNDRA],
        [GRASSLAND, GRASSLAND, TAIGA, TAIGA, TAIGA],
        [DESERT, GRASSLAND, GRASSLAND, FOREST, RAINFOREST],
        [DESERT, SHRUBLAND, SHRUBLAND, FOREST, RAINFOREST],
        [DESERT, SAVANNA, SAVANNA, TROPICAL_SEASONAL, TROPICAL_RAINFOREST],
    ],
    np.uint8,
)


class Climate(NamedTuple):
    """float64 (H, W) each: mean annual temperature in degrees Celsius, and moisture, 0 desert to 1 rainforest."""

    temperature: Float64s
    moisture: Float64s


def climate(seed: int, x: int, y: int, lod: int, heights: Float64s) -> Climate:
    """The climate of a chunk, with the noise that makes edges irregular.

    Args:
        seed: the world's.
        x: world pixel (level 0) of the top-left corner.
        y: likewise.
        lod: the level, whose pixels are 2^lod world pixels wide; fields are read at the pixels' centres.
        heights: (H, W) metres.
    """
    rows, columns = heights.shape
    across, down = centres(x, lod, columns), centres(y, lod, rows)

    def fractal(stream: int, octaves: tuple[tuple[int, float], ...]) -> Float64s:
        total = np.zeros(heights.shape)
        for i, (spacing, weight) in enumerate(octaves):
            total += gradient_noise(key(seed, stream + i), down, across, spacing) * weight
        return total

    dither = fractal(STREAM_DITHER, DITHER_OCTAVES)
    dither += white_noise(key(seed, STREAM_DITHER + len(DITHER_OCTAVES)), down, across) * DITHER_WHITE
    above_sea = np.maximum(heights, 0.0)
    at_sea_level = fractal(STREAM_TEMPERATURE, TEMPERATURE_OCTAVES) * SWING_C + MEAN_C
    temperature = np.clip(at_sea_level, COLDEST_C, HOTTEST_C)
    temperature += dither * DITHER_C - above_sea * LAPSE_C_PER_M
    moisture = fractal(STREAM_MOISTURE, MOISTURE_OCTAVES) * MOISTURE_SWING + MOISTURE_MEAN
    moisture += np.maximum(1.0 - above_sea / COAST_M, 0.0) * COAST_MOISTURE + dither * DITHER_MOISTURE
    return Climate(temperature, np.clip(moisture, 0.0, 1.0))


def beach(frame: Float64s, metres_per_pixel: float) -> NDArray[np.bool_]:
    """Where a dry pixel touches the sea and is low: bool (H, W), from heights (H + 2, W + 2) in metres."""
    ground = frame[1:-1, 1:-1]
    if metres_per_pixel > BEACH_PIXEL_M:
        return np.zeros(ground.shape, np.bool_)
    rows, columns = ground.shape
    around: Float64s = np.minimum.reduce([frame[i : i + rows, j : j + columns] for i in range(3) for j in range(3)])
    return (around < 0) & (ground >= 0) & (ground < BEACH_M)


def biome(frame: Float64s, water: NDArray[np.uint16], metres_per_pixel: float, climate: Climate) -> NDArray[np.uint8]:
    """The index into PALETTE: uint8 (H, W).

    Args:
        frame: heights (H + 2, W + 2) in metres, one pixel more on every side.
        water: its depth (H, W).
        metres_per_pixel: of the level.
        climate: (H, W).
    """
    ground = frame[1:-1, 1:-1]
    # Edges are inclusive, as in "5 degrees and warmer".
    warm = np.searchsorted(TEMPERATURE_BANDS, climate.temperature, side="right")
    wet = np.searchsorted(MOISTURE_BANDS, climate.moisture, side="right")
    found = WHITTAKER[warm, wet]
    found[beach(frame, metres_per_pixel) & (found != ICE)] = BEACH
    found[water > 0] = LAKE
    found[ground < 0] = OCEAN
    return found


def ramp(x: Float64s, zero: float, one: float) -> Float64s:
    """0 at `zero`, 1 at `one`, 3 t^2 - 2 t^3 between, constant beyond. `zero` may be larger than `one`."""
    t = np.clip((x - zero) / (one - zero), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def splat(
    frame: Float64s, water: NDArray[np.uint16], metres_per_pixel: float, steepness: Float64s, climate: Climate
) -> NDArray[np.uint8]:
    """Weights of rock, grass, sand and snow: uint8 (H, W, 4), whose sum is 255.

    Args:
        frame: heights (H + 2, W + 2) in metres, one pixel more on every side.
        water: its depth (H, W) in quarter metres.
        metres_per_pixel: of the level.
        steepness: the square of the slope (H, W), in metres a metre.
        climate: (H, W).
    """
    ground, warm = frame[1:-1, 1:-1], climate.temperature
    snowy = ramp(warm, -2.5, -8.5)
    # Rock begins to show at 27 degrees, and covers all from 45 on; snow lies on slopes up to some 50 degrees.
    rocky = np.maximum(ramp(steepness, 0.26, 1.0) * (1.0 - 0.6 * snowy), ramp(steepness, 1.0, 2.25))
    barren = ramp(warm, 3.0, -4.0) * ramp(steepness, 0.03, 0.3) * 0.6  # scree, where it is too cold for grass
    rocky = np.maximum(rocky, barren * (1.0 - snowy))
    sandy = ramp(climate.moisture, 0.26, 0.14) * ramp(warm, 4.0, 9.0)
    sandy[beach(frame, metres_per_pixel)] = 1.0
    under = (water > 0) | (ground < 0)
    sandy[under] = 1.0
    snowy[under] = 0.0
    # Each weight is a share of what the weights before it leave, so that the four rounded weights sum to 255.
    rock = np.rint(rocky * 255.0)
    snow = np.rint((255.0 - rock) * snowy)
    sand = np.rint((255.0 - rock - snow) * sandy)
    return np.stack([rock, 255.0 - rock - snow - sand, sand, snow], axis=-1).astype(np.uint8)
