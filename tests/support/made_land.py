"""An endless made-up land that is cheap, exact and has every level: what layers and regions are tested on."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from runtime.content.terrain.fields import centres, gradient_noise, key

OCTAVES = ((1024, 2000.0), (256, 900.0), (64, 300.0), (16, 120.0))  # pixels of level 0, metres


def heights(lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
    """Ground in 1/64 m, a regions.Heights; about a third of it sea."""
    y, x = centres(row << lod, lod, height), centres(column << lod, lod, width)
    land = np.full((height, width), 200.0)
    for i, (spacing, metres) in enumerate(OCTAVES):
        land += gradient_noise(key(1, i), y, x, spacing) * metres
    return np.rint(land * 64.0).astype(np.int32)


class Made:
    """Made-up land as a ground.Ground, rounded to whole metres so that there are flats."""

    key: Hashable = "made"

    def __call__(self, lod: int, row: int, column: int, height: int, width: int) -> NDArray[np.int32]:
        return heights(lod, row, column, height, width) // 64 * 64
