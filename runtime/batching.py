"""Dynamic batching: how many requests of the same kind run together, and how long a run waits for others.

Every method of a model takes arrays, whose first axis is the batch, and integers, which apply to the whole batch. An
item's result has the same bytes in every batch (docs/exactness.md), so only speed decides. It is measured when a model
is loaded, on the device and with the threads that it will use: recurrent models and small convolutions take far less
time per item in batches, large convolutions on a CPU do not.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Arguments = Sequence[NDArray[Any] | int]
LARGEST = 32  # largest batch that is measured
MOST_MS = 500  # default for the longest run of a batch; other requests wait for the engine meanwhile
TRIALS = 2  # runs of each size; the fastest counts
WORTH = 0.9  # a batch is used if an item takes at most this part of the time that it takes alone
NEAR_BEST = 1.1  # the smallest batch within this factor of the best time per item is chosen
WAIT_SHARE = 0.05  # how long a run may wait for others, as a part of the time of a single item


class Batching(NamedTuple):
    """The batching that was chosen for a model."""

    max_batch_size: int = 1  # items
    max_wait_time: float = 0.0  # seconds


class Batch(NamedTuple):
    """How one piece of work can run in a batch. `run` runs several, given the arguments of each."""

    alike: Hashable  # equal for work that may share a run
    size: int  # items of this piece of work
    limits: Batching
    arguments: Arguments
    run: Callable[[Sequence[Arguments]], Sequence[Any]]


def choose(seconds: Mapping[int, float]) -> Batching:
    """Choose from measured seconds by batch size; size 1 must be among them.

    >>> choose({1: 0.010, 2: 0.021, 4: 0.043})
    Batching(max_batch_size=1, max_wait_time=0.0)
    >>> choose({1: 0.010, 2: 0.012, 4: 0.016, 8: 0.031})
    Batching(max_batch_size=4, max_wait_time=0.0005)
    """
    each = {items: taken / items for items, taken in seconds.items()}
    best = min(each.values())
    if best > WORTH * each[1]:
        return Batching()
    return Batching(min(n for n in each if each[n] <= NEAR_BEST * best), WAIT_SHARE * seconds[1])


def alike(method: str, arguments: Arguments) -> Hashable:
    """A key that is equal for calls that may share a run: same method, integers, item shapes and dtypes."""
    return method, *(a if isinstance(a, int) else (a.shape[1:], a.dtype.str) for a in arguments)


def items(arguments: Arguments) -> int:
    """How many items a call has."""
    return next((len(a) for a in arguments if not isinstance(a, int)), 1)


def join(calls: Sequence[Arguments]) -> list[NDArray[Any] | int]:
    """The arguments of one call with the items of several."""
    return [column[0] if isinstance(column[0], int) else np.concatenate(column) for column in zip(*calls, strict=True)]


def part(result: NDArray[Any], calls: Sequence[Arguments]) -> list[NDArray[Any]]:
    """The result of the joined call, split into the result of each."""
    return np.split(result, np.cumsum([items(call) for call in calls])[:-1])
