"""River lines: courses from pixel to pixel, cut at sources, confluences, lakes and the sea."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

CONTEXT = 8  # pixels around a window on which its lines depend: four for joints, two for smoothing, two spare
FRACTION = 16  # points are whole 1/16 pixels
ENDS = ("river", "sea", "lake", "basin", "window")
RIVER, SEA, LAKE, BASIN, WINDOW = range(len(ENDS))


class Lines(NamedTuple):
    """The lines of a window.

    `points`: int64 (n, 2), x and y in 1/16 pixel from the corner of the courses.
    `pixels`: int64 (n,), the row-major index of each point's pixel.
    `starts`: int32 (lines + 1), the index of each line's first point; the last is the number of points.
    `kinds`: uint8 (lines,), LAKE where the line crosses a lake, else RIVER.
    `ends`: uint8 (lines,), index into ENDS: what follows the line; "window" where it goes on outside the window.
    """

    points: NDArray[np.int64]
    pixels: NDArray[np.int64]
    starts: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    ends: NDArray[np.uint8]


def lines(
    to: NDArray[np.int32],
    lake: NDArray[np.bool_],
    sea: NDArray[np.bool_],
    top: int,
    left: int,
    height: int,
    width: int,
) -> Lines:
    """The lines of a window.

    A step from pixel to pixel belongs to the window in which it begins. So every step of adjoining windows is in one of
    them, and a line that leaves a window ends at the point where it begins in the next. Steps from sea to sea are left
    out; steps from lake to lake are lines of their own.

    Lines are smoothed: each point is the mean of five pixels of its line, with weights 1 4 6 4 1; the points where
    lines begin, join and end are not moved.

    Args:
        to: the courses (H, W): the row-major index of the pixel that each flows to, -1 for none.
        lake: bool (H, W).
        sea: bool (H, W).
        top: the window's first row; CONTEXT rows or more are outside on either side.
        left: the window's first column, likewise.
        height: of the window.
        width: of the window.
    """
    columns = to.shape[1]
    to, lake, sea = to.ravel(), lake.ravel(), sea.ravel()
    flows = to >= 0
    flows[flows] &= ~(sea[flows] & sea[to[flows]])
    kind = np.full(to.size, BASIN, np.uint8)  # of the step that begins at a pixel
    kind[flows] = np.where(lake[flows] & lake[to[flows]], LAKE, RIVER)
    kind[~flows & lake], kind[sea] = LAKE, SEA
    begins = np.flatnonzero(flows)
    entering = np.bincount(to[begins], minlength=to.size)
    before = np.zeros(to.size, np.int64)
    before[to[begins]] = begins
    joint = (entering != 1) | ~flows | sea | (kind[before] != kind)
    inside = np.zeros((to.size // columns, columns), np.bool_)
    inside[top : top + height, left : left + width] = True
    inside = inside.ravel()
    begin = np.flatnonzero(flows & inside & (joint | ~inside[before]))
    pixels, starts = _walk(to, joint, inside, begin)
    last = pixels[starts[1:] - 1]
    ends = np.where(joint[last], kind[last], WINDOW).astype(np.uint8)
    kinds = np.where(kind[begin] == LAKE, LAKE, RIVER).astype(np.uint8)
    return Lines(_bent(pixels, to, before, joint, columns), pixels, starts, kinds, ends)


def _bent(
    pixels: NDArray[np.int64], to: NDArray[np.int32], before: NDArray[np.int64], joint: NDArray[np.bool_], columns: int
) -> NDArray[np.int64]:
    """The points of pixels: their centres, averaged twice with both neighbours on the line."""

    def centre(at: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.stack([at % columns, at // columns], -1) * FRACTION + FRACTION // 2

    def averaged(at: NDArray[np.int64], point: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> NDArray[np.int64]:
        stays = joint[at]
        back, on = np.where(stays, at, before[at]), np.where(stays, at, to[at])
        return (point(back) + 2 * point(at) + point(on)) // 4  # no remainder

    return averaged(pixels, lambda at: averaged(at, centre))


@njit(cache=True, nogil=True)
def _walk(
    to: NDArray[np.int32], joint: NDArray[np.bool_], inside: NDArray[np.bool_], begin: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The pixels of the lines that begin at `begin`, line after line, and the index at which each line starts."""
    pixels = np.empty(np.count_nonzero(inside) + len(begin), np.int64)
    starts = np.zeros(len(begin) + 1, np.int32)
    count = 0
    for line in range(len(begin)):
        at = begin[line]
        while True:
            pixels[count] = at
            count += 1
            at = np.int64(to[at])
            if joint[at] or not inside[at]:
                break
        pixels[count] = at
        count += 1
        starts[line + 1] = count
    return pixels[:count].copy(), starts
