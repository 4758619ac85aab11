"""What a candidate's number decides, and how the counts that the model is told follow from a request."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from runtime.content.levels.requests import Wishes


def pick(seed: int, number: int, stream: str, choices: int) -> int:
    """One of 0 to choices - 1: a hash of seed, number and stream, so that it is the same everywhere."""
    digest = hashlib.sha256(f"{seed} {number} {stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % choices


def requested(wishes: Wishes, number: int) -> dict[str, int]:
    """Each requested count: of a range, a number that the candidate's number picks."""
    return {
        name: least + pick(wishes.seed, number, name, most - least + 1) for name, (least, most) in wishes.ranges.items()
    }


def given_count(wishes: Wishes, given: NDArray[np.int64], chars: str) -> int:
    """How many of the given tiles (height, width; -1 where free) are one of these characters."""
    return int(np.isin(given, [wishes.tiles.index(c) for c in chars]).sum())


def one_each(wishes: Wishes, given: NDArray[np.int64], ends: str, otherwise: int | None = 1) -> dict[str, int]:
    """The counts that take in starts or goals: as many as are given, so that the model adds none.

    Args:
        wishes: the request.
        given: tile numbers (height, width), -1 where free.
        ends: the characters of starts or goals.
        otherwise: the count where none of these is given; None: the model chooses.
    """
    told = {}
    for name, chars in wishes.counted.items():
        once = "".join(c for c in ends if c in wishes.tiles and c in chars)
        if once and given_count(wishes, given, once):
            told[name] = given_count(wishes, given, chars)
        elif once and otherwise is not None:
            told[name] = otherwise
    return told
