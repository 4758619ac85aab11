"""Dynamic batching: whether requests that are alike are run together, how many, and how long a run waits for them.

Every method of a model takes arrays whose first axis is that of the items, and integers that hold for all of them. An
item's result is the same bytes in every batch (DESIGN: exactness), so what is left to decide is what pays. That is
measured when a model is loaded, on the device and with the threads that it will run with: recurrent models and small
convolutions are far cheaper by the item in batches, large convolutions on a CPU are not.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Arguments = Sequence[NDArray[Any] | int]
LARGEST = 32  # items that are tried together
MOST_MS = 500  # of a run of several, unless it is said: so long others wait for the engine
TRIALS = 2  # of each size, the faster counts
WORTH = 0.9  # of a single item's time: a batch that takes more by the item does not pay
NEAR_BEST = 1.1  # the smallest batch that comes so near to the best is enough: larger ones only take longer
WAIT_SHARE = 0.05  # of a single run's time: what a run may wait for company


class Batching(NamedTuple):
    """What was chosen for a model."""

    max_batch_size: int = 1  # items
    max_wait_time: float = 0.0  # seconds


class Batch(NamedTuple):
    """How one piece of work may be done together with others. `run` does several, given the arguments of each."""

    alike: Hashable  # equal for those that may share a run
    size: int  # items it has itself
    limits: Batching
    arguments: Arguments
    run: Callable[[Sequence[Arguments]], Sequence[Any]]


def choose(seconds: Mapping[int, float]) -> Batching:
    """From the seconds that runs of so many items took, 1 among them.

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
    """Equal for calls that may be joined: of one method, equal integers, items of equal shapes and types."""
    return method, *(a if isinstance(a, int) else (a.shape[1:], a.dtype.str) for a in arguments)


def items(arguments: Arguments) -> int:
    """How many items a call is for."""
    return next((len(a) for a in arguments if not isinstance(a, int)), 1)


def join(calls: Sequence[Arguments]) -> list[NDArray[Any] | int]:
    """The arguments of one call for the items of several that are alike."""
    return [column[0] if isinstance(column[0], int) else np.concatenate(column) for column in zip(*calls, strict=True)]


def part(result: NDArray[Any], calls: Sequence[Arguments]) -> list[NDArray[Any]]:
    """The result of the joined call as each of them would have had it."""
    return np.split(result, np.cumsum([items(call) for call in calls])[:-1])
