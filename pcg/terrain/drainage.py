"""Where water goes on a heightmap: pits, depressions filled to their outlets, the land that drains through each pixel.

Priority-flood with a plain queue inside depressions (Barnes, Lehman and Mulla 2014, "Priority-flood: an optimal
depression-filling and watershed-labeling algorithm", algorithm 2). The heap holds ranks instead of heights, one small
integer that says both how high a pixel is and which one: about 0.1 s for 256 x 256 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Drainage:
    """`filled`: the heights (H, W), every depression raised to its outlet, in the units and dtype of the heights.

    `accumulation`: int64 (H, W), the pixels whose water passes a pixel, itself included. Each pixel drains to the
    neighbour (of eight) that the flood reached it from, which is its lowest; those of the border drain off the map.
    """

    filled: NDArray[np.floating]
    accumulation: NDArray[np.int64]


def pits(heights: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Where a pixel of heightmaps (N, H, W) is lower than all eight neighbours; nowhere on a border."""
    rows, columns = heights.shape[1] - 2, heights.shape[2] - 2
    shifts = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    around = np.minimum.reduce([heights[:, i : i + rows, j : j + columns] for i, j in shifts])
    return np.pad(heights[:, 1:-1, 1:-1] < around, ((0, 0), (1, 1), (1, 1)))


def drain(heights: NDArray[np.floating]) -> Drainage:
    """Fill and drain one heightmap (H, W), 2 x 2 or larger. Water leaves over the border, from any border pixel."""
    rows, columns = heights.shape
    width = columns + 2  # a frame of pixels seen already saves asking whether a neighbour exists
    places = (np.arange(1, rows + 1)[:, None] * width + np.arange(1, columns + 1)).ravel()
    by_height = np.argsort(heights, axis=None, kind="stable")
    framed_rank = np.zeros((rows + 2) * width, np.int64)
    framed_rank[places[by_height]] = np.arange(heights.size)
    unseen = np.zeros((rows + 2, width), bool)
    unseen[2:-2, 2:-2] = True

    # Plain lists and locals from here on: an element of a numpy array takes several times as long to reach.
    place_of_rank = places[by_height].tolist()
    rank, level = framed_rank.tolist(), framed_rank.tolist()
    is_unseen = unseen.ravel().tolist()
    receiver = [-1] * len(rank)
    reached: list[int] = []
    neighbours = (-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1)
    inner = np.zeros((rows, columns), bool)
    inner[1:-1, 1:-1] = True
    heap = sorted(framed_rank[places[~inner.ravel()]].tolist())
    while heap:
        outlet = heappop(heap)
        lake = [place_of_rank[outlet]]
        for place in lake:  # grows while it is walked
            reached.append(place)
            for step in neighbours:
                other = place + step
                if is_unseen[other]:
                    is_unseen[other] = False
                    receiver[other] = place
                    if rank[other] < outlet:
                        level[other] = outlet
                        lake.append(other)
                    else:
                        heappush(heap, rank[other])

    upstream = [1] * len(rank)
    for place in reversed(reached):  # a pixel is reached after the one it drains to
        if receiver[place] >= 0:
            upstream[receiver[place]] += upstream[place]
    filled = heights.ravel()[by_height[np.array(level)[places]]].reshape(heights.shape)
    return Drainage(filled, np.array(upstream, np.int64)[places].reshape(heights.shape))
