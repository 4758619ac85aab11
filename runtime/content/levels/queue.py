"""The compiled searches' data structures: a binary heap of open nodes, and a hash set of known ones."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def table_for(most: int) -> NDArray[np.int64]:
    """An empty hash set for up to `most` keys."""
    bits = 1
    while 1 << bits < 2 * most:
        bits += 1
    return np.zeros(1 << bits, np.int64)


@njit(cache=True, nogil=True)
def add(table: NDArray[np.int64], key: int) -> bool:
    """Add a key, which isn't 0, to the hash set; False if it was there."""
    place = key * -0x61C8864680B583EB
    mask = table.size - 1
    place = (place ^ (place >> 29)) & mask
    while table[place]:
        if table[place] == key:
            return False
        place = (place + 1) & mask
    table[place] = key
    return True


@njit(cache=True, nogil=True)
def push(heap: NDArray[np.int64], size: int, value: int) -> None:
    """Add a value to a binary heap of `size` values."""
    while size and heap[(size - 1) >> 1] > value:
        heap[size] = heap[(size - 1) >> 1]
        size = (size - 1) >> 1
    heap[size] = value


@njit(cache=True, nogil=True)
def pop(heap: NDArray[np.int64], size: int) -> int:
    """Remove and return the smallest of a binary heap of `size` values."""
    top, value = int(heap[0]), int(heap[size - 1])
    place, child = 0, 1
    while child < size - 1:
        if child + 1 < size - 1 and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[place] = heap[child]
        place, child = child, 2 * child + 1
    heap[place] = value
    return top
