"""Where to begin: the origin, or land near it where that is sea."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

PROBE = 16  # world pixels a side of what is looked at
RADII = (256, 512, 1024, 2048, 4096)  # world pixels


def nearest_land(call: Callable[..., Any], seed: int, style: str) -> tuple[int, int]:
    """The world pixel to begin at, for the first of `places` that is mostly land; the origin if all are sea.

    `call` is `Client.call`; it is called at most 41 times, for chunks of 16 by 16 pixels.
    """
    for x, y in places():
        answer = call("terrain.chunk", seed=seed, style=style, x=x - PROBE // 2, y=y - PROBE // 2, size=PROBE)
        if np.mean(answer["height"] * answer["scale"] + answer["offset"] > 0) > 0.5:
            return x, y
    return 0, 0


def places() -> Iterator[tuple[int, int]]:
    """The origin, then eight compass points on each of five squares, each twice as far out as the one before.

    A spiral that widens: the nearest coast is found to within half its distance, and 41 places reach 4,096 pixels.
    """
    yield 0, 0
    for radius in RADII:
        for column, row in ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)):
            yield column * radius, row * radius
