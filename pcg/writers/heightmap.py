"""Heightmaps to pictures and files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SUN_AZIMUTH_DEG, SUN_ALTITUDE_DEG = 315.0, 45.0  # north-west, as maps have it


def hillshade(heights: NDArray[np.floating], metres_per_pixel: float, exaggeration: float = 1.0) -> NDArray[np.uint8]:
    """Lambertian shading of (H, W) heights in metres, lit from the north-west; uint8 (H, W)."""
    south, east = np.gradient(heights.astype(np.float32) * exaggeration, metres_per_pixel)
    azimuth, altitude = np.radians(SUN_AZIMUTH_DEG), np.radians(SUN_ALTITUDE_DEG)
    # x east, y south: the sun stands at (sin azimuth, -cos azimuth); a surface's normal is (-east, -south, 1).
    sun_x, sun_y, sun_z = np.sin(azimuth) * np.cos(altitude), -np.cos(azimuth) * np.cos(altitude), np.sin(altitude)
    light = (-east * sun_x - south * sun_y + sun_z) / np.sqrt(east**2 + south**2 + 1)
    return (light.clip(0, 1) * 255).astype(np.uint8)
