"""Compares the small tile patterns of two sets of levels.

The divergence of Lucas and Volz (2019, "Tile pattern KL-divergence for analysing and evolving game levels"): count
every window of n x n tiles in both sets, and take the mean of the two Kullback-Leibler divergences between the two
distributions. It is 0 if the distributions are equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

SIDES = (2, 3, 4)  # of the windows
SMOOTHING = 1e-5  # added to the count of every pattern of either set, as Lucas and Volz do

Tiles = NDArray[np.uint8]  # a level: (height, width) tile numbers


def count_patterns(levels: Iterable[Tiles], side: int) -> Counter[bytes]:
    """The number of each window of side x side tiles, over all places of the levels."""
    found: Counter[bytes] = Counter()
    for level in levels:
        if min(level.shape) >= side:
            windows = np.lib.stride_tricks.sliding_window_view(level, (side, side))
            found.update(window.tobytes() for row in windows for window in row)
    return found


def divergence(one: Counter[bytes], other: Counter[bytes]) -> float:
    """The symmetric divergence of two counts of patterns, in nats.

    A pattern that only one set has costs more in larger sets, so compare only sets of the same size.

    >>> divergence(Counter({b"a": 3, b"b": 1}), Counter({b"a": 3, b"b": 1}))
    0.0
    """
    patterns = sorted(one.keys() | other.keys())
    p, q = (np.array([counts[pattern] for pattern in patterns]) + SMOOTHING for counts in (one, other))
    p, q = p / p.sum(), q / q.sum()
    return float(0.5 * ((p - q) * np.log(p / q)).sum()) + 0.0


def divergences(levels: list[Tiles], real: list[Tiles]) -> dict[int, float]:
    """The divergence of two sets of levels, by the side of the windows."""
    return {side: divergence(count_patterns(levels, side), count_patterns(real, side)) for side in SIDES}
