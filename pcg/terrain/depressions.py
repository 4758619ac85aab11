"""Depressions that no river would leave, as something to train against.

A depression's depth is its outlet's height less the pixel's own, so its mean over a crop has a gradient almost
everywhere: the outlet, the dam, goes down, the floor behind it comes up. The flood that finds the outlets
(priority-flood; Barnes, Lehman and Mulla 2014) needs no gradient itself.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor


@njit(cache=True, nogil=True)
def _outlets(rank: NDArray[np.int32], place: NDArray[np.int32], rows: int, columns: int) -> NDArray[np.int32]:
    """For every pixel of one heightmap the pixel that holds its water back, itself where nothing does."""
    outlet = np.full(rows * columns, -1, np.int32)
    heap = [np.int32(0) for _ in range(0)]
    for i in range(rows):
        for j in range(columns):
            if i == 0 or j == 0 or i == rows - 1 or j == columns - 1:
                outlet[i * columns + j] = i * columns + j
                heap.append(rank[i * columns + j])
    heapify(heap)
    lake = np.empty(rows * columns, np.int32)
    while len(heap):
        level = heappop(heap)
        dam = place[level]
        lake[0] = dam
        first, last = 0, 1
        while first < last:
            at = lake[first]
            first += 1
            i, j = at // columns, at % columns
            for di in range(-1, 2):
                for dj in range(-1, 2):
                    a, b = i + di, j + dj
                    if a < 0 or b < 0 or a >= rows or b >= columns:
                        continue
                    other = a * columns + b
                    if outlet[other] >= 0:
                        continue
                    if rank[other] < level:
                        outlet[other] = dam
                        lake[last] = other
                        last += 1
                    else:
                        outlet[other] = other
                        heappush(heap, rank[other])
    return outlet


def outlets(heights: NDArray[np.float32]) -> NDArray[np.int64]:
    """Flat index (N, H*W) of every pixel's outlet: the pixel whose height its water has to reach; (N, H, W) heights."""
    n, rows, columns = heights.shape
    found = np.empty((n, rows * columns), np.int64)
    for k in range(n):
        place = np.argsort(heights[k], axis=None, kind="stable").astype(np.int32)
        rank = np.empty_like(place)
        rank[place] = np.arange(place.size, dtype=np.int32)
        found[k] = _outlets(rank, place, rows, columns)
    return found


def depression_depth(heights: Tensor, scale: Tensor) -> Tensor:
    """Mean depth of the filled depressions of heightmaps (N, H, W), in units of `scale` (N, H, W) metres: (N,).

    Differentiable in the heights. Water leaves over the border.
    """
    flat = heights.flatten(1)
    outlet = torch.from_numpy(outlets(heights.detach().float().cpu().numpy())).to(heights.device)
    return ((flat.gather(1, outlet) - flat) / scale.flatten(1)).mean(1)
