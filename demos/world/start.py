"""Finds the place to begin: the origin, or land near it if the origin is sea."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

PROBE = 16  # world pixels a side of the chunks that are examined
RADII = (256, 512, 1024, 2048, 4096)  # world pixels


def nearest_land(call: Callable[..., Any], seed: int, style: str) -> tuple[int, int]:
    """The world pixel to begin at: the first of `places` that is mostly land, or the origin if all are sea.

    Args:
        call: `Client.call`. It is called at most 41 times, for chunks of 16 by 16 pixels.
        seed: the world's.
        style: the world's.
    """
    for x, y in places():
        answer = call("terrain.chunk", seed=seed, style=style, x=x - PROBE // 2, y=y - PROBE // 2, size=PROBE)
        if np.mean(answer["height"] * answer["scale"] + answer["offset"] > 0) > 0.5:
            return x, y
    return 0, 0


def places() -> Iterator[tuple[int, int]]:
    """The origin, then eight compass points on each of five squares, each twice as far out as the one before.

    So the nearest coast is found to within half its distance, and 41 places reach 4,096 pixels.
    """
    yield 0, 0
    for radius in RADII:
        for column, row in ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)):
            yield column * radius, row * radius
