"""Novelty of levels: the longest copied run, and the distance to the nearest training level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pcg.levels.corpus.examples import lines_of
from pcg.levels.evaluation.patterns import Tiles

LARGEST_PIECE = 16  # tiles a side


def images(level: Tiles, symmetry: str) -> list[Tiles]:
    """The level, and its mirror images that a network is also trained on."""
    found = [level]
    if symmetry != "none":
        found += [image[:, ::-1] for image in found]
    if symmetry == "all":
        found += [image[::-1] for image in found]
        found += [image.T for image in found]
    return found


def copied_runs(
    levels: Sequence[Tiles], training: Iterable[Tiles], symmetry: str, *, by_columns: bool
) -> NDArray[np.int64]:
    """For each level the longest run of whole lines that it shares with one training level or a mirror image of it.

    Args:
        levels: the levels to measure.
        training: the training levels.
        symmetry: the mirror images that count, as in LevelGame.
        by_columns: whether a line is a column; else it is a row.
    """
    numbers: dict[bytes, int] = {}

    def numbered(level: Tiles) -> list[int]:
        lines = lines_of(np.asarray(level, np.int64), by_columns)
        return [numbers.setdefault(line.tobytes(), len(numbers)) for line in lines]

    sources = [numbered(level) for level in training]
    parts = [[numbered(image) for image in images(level, symmetry)] for level in levels]
    longest = np.zeros(len(levels), np.int64)
    left, length = list(range(len(levels))), 0
    while left:  # a longer run contains every shorter one
        longest[left] = length
        length += 1
        known = {run for source in sources for run in runs(source, length)}
        left = [n for n in left if any(run in known for part in parts[n] for run in runs(part, length))]
    return longest


def runs(lines: list[int], length: int) -> Iterable[tuple[int, ...]]:
    """All runs of `length` lines."""
    return (tuple(lines[first : first + length]) for first in range(len(lines) - length + 1))


def piece_of(levels: Iterable[Tiles]) -> tuple[int, int]:
    """Height and width of the largest piece, up to LARGEST_PIECE a side, that fits into every level."""
    heights, widths = zip(*(level.shape for level in levels), strict=True)
    return min(LARGEST_PIECE, *heights), min(LARGEST_PIECE, *widths)


def nearest(
    levels: Sequence[Tiles], training: Iterable[Tiles], symmetry: str, piece: tuple[int, int]
) -> NDArray[np.float64]:
    """For each level the least share of tiles in which its middle piece differs from a piece of a training level.

    Args:
        levels: the levels to measure.
        training: the training levels.
        symmetry: the mirror images of the middle piece that count, as in LevelGame.
        piece: height and width of a piece.
    """
    wide = [level for level in training if level.shape[0] >= piece[0] and level.shape[1] >= piece[1]]
    pieces = np.concatenate(
        [np.lib.stride_tricks.sliding_window_view(level, piece).reshape(-1, piece[0] * piece[1]) for level in wide]
    )
    pieces = np.unique(pieces, axis=0)
    found = []
    for level in levels:
        top, left = ((whole - part) // 2 for whole, part in zip(level.shape, piece, strict=True))
        middle = level[top : top + piece[0], left : left + piece[1]]
        square = [image for image in images(middle, symmetry) if image.shape == piece]
        found.append(min(int((pieces != image.ravel()).sum(1, dtype=np.int16).min()) for image in square))
    return np.array(found) / (piece[0] * piece[1])


def nearer(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """The probability that one of ours is less than one of theirs, ties counted half: 0.5 for equal distributions."""
    return float((ours[:, None] < theirs).mean() + 0.5 * (ours[:, None] == theirs).mean())
