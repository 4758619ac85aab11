"""Where a platformer's player could get at best: a relaxation that allows more than the rules do.

It follows the pixel under the middle of the player's feet from tile to tile. Wherever they could stand, swim, climb or
bounce off an enemy, it allows every way through tiles that aren't solid on which they are never higher than the
highest jump would be at that distance at full speed. Enemies don't hurt, the body has no width, and speed comes at
once; so where this finds no way there is none.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from runtime.content.levels.platformer.motion import (
    ACROSS,
    BELOW,
    FLUID,
    GOAL,
    HIGH,
    HURTS,
    LOW,
    ONE_WAY,
    SLOPE,
    SOLID,
    SPRING,
    STOMPABLE,
    WALKS,
)
from runtime.content.levels.platformer.physics import FALL, GRAVITY, HALF_WIDTH, RUN, RUNNING_JUMP, SPRING_JUMP
from runtime.content.levels.rules import LARGEST_SIDE, TILE

LEVELLED, ANYWHERE, SPRUNG = 1, 2, 3  # how one leaves a tile: from its bottom, from anywhere in it, off a trampoline


def reach(
    tiles: NDArray[np.int32], enemies: NDArray[np.int64], row: int, column: int, limit: int
) -> tuple[NDArray[np.bool_], bool, bool]:
    """Where feet could get to from the start's tile.

    Gives the tiles, bool as `tiles`; whether a goal can be touched from them; and whether they are all: the search
    ends at a goal, and after about `limit` steps.
    """
    leave = _leave(tiles)
    _bounces(leave, enemies)
    leave[row, column] = max(leave[row, column], LEVELLED)
    ceilings = np.stack([_highest(RUNNING_JUMP, 0), _highest(RUNNING_JUMP, TILE - 1), _highest(SPRING_JUMP, TILE - 1)])
    return _flood(tiles, leave, ceilings, row, column, limit)


def _highest(speed: int, below: int) -> NDArray[np.int32]:
    """How many tiles higher (lower, if negative) a jump can be so many tiles away, for 0, 1, 2, ... tiles.

    `below`: how many pixels over the bottom of its tile it may start.
    """
    heights, rise = [0], speed
    for _ in range(TILE * LARGEST_SIDE // FALL):  # to the bottom of the highest level
        heights.append(heights[-1] + rise)
        rise = max(rise - GRAVITY, -FALL)
    best: NDArray[np.int32] = np.maximum.accumulate(np.array(heights, np.int32)[::-1])[::-1]  # at this tick or later
    columns = np.arange(len(heights) * RUN // TILE)
    # n tiles away is at least n - 1 tiles and a pixel; within a tick the player moves sideways first.
    ticks = np.maximum(TILE * (columns - 1), 0) // RUN
    tiles: NDArray[np.int32] = (best[ticks] + below) // TILE
    return tiles


def _leave(tiles: NDArray[np.int32]) -> NDArray[np.int8]:
    """How feet in a tile can leave it, 0 where there is nothing to leave from."""
    leave = np.zeros(tiles.shape, np.int8)
    under = np.zeros_like(tiles)
    under[:-1] = tiles[1:]
    beside = np.where(tiles & SOLID, 0, under)  # the box reaches over the tiles beside the feet where they are free
    below = under.copy()
    below[:, 1:] |= beside[:, :-1]
    below[:, :-1] |= beside[:, 1:]
    safe = tiles & HURTS == 0
    leave[(below & (SOLID | ONE_WAY) != 0) & safe] = LEVELLED
    fluid = tiles & FLUID != 0
    fluid[1:] |= fluid[:-1].copy()  # the middle of the body is in it
    slope = tiles & SLOPE != 0
    slope[:-1] |= tiles[1:] & SLOPE != 0
    slope[1:] |= tiles[:-1] & SLOPE != 0  # it lifts feet from below
    leave[fluid | slope] = ANYWHERE
    leave[(below & SPRING != 0) & safe] = SPRUNG
    return leave


def _bounces(leave: NDArray[np.int8], enemies: NDArray[np.int64]) -> None:
    """Let feet leave where they can come down on an enemy."""
    for enemy in enemies[enemies[:, STOMPABLE] != 0].tolist():
        along = (enemy[LOW], enemy[HIGH] + TILE)
        across = (enemy[ACROSS], enemy[ACROSS] + TILE)
        (left, right), (top, bottom) = (along, across) if enemy[WALKS] else (across, along)
        place = leave[
            top // TILE : (bottom + FALL) // TILE + 1, (left - HALF_WIDTH) // TILE : (right + HALF_WIDTH) // TILE + 1
        ]
        np.maximum(place, ANYWHERE, out=place)


@njit(cache=True, nogil=True)
def _flood(
    tiles: NDArray[np.int32],
    leave: NDArray[np.int8],
    ceilings: NDArray[np.int32],
    row: int,
    column: int,
    limit: int,
) -> tuple[NDArray[np.bool_], bool, bool]:
    height, width = tiles.shape
    reached = np.zeros((height, width), np.bool_)
    seen = np.full((height, width), -1, np.int32)  # the last start of a flight that came by
    launched = np.zeros((height, width), np.bool_)
    launches = np.empty(height * width, np.int32)
    flight = np.empty(height * width, np.int32)
    launches[0] = row * width + column
    launched[row, column] = True
    count, number, steps = 1, 0, 0
    found = False
    while number < count:
        row, column = launches[number] // width, launches[number] % width
        ceiling = ceilings[leave[row, column] - 1]
        flight[0] = launches[number]
        seen[row, column] = number
        first, last = 0, 1
        while first < last:
            r, c = flight[first] // width, flight[first] % width
            first += 1
            steps += 1
            reached[r, c] = True
            if leave[r, c] and not launched[r, c]:
                launched[r, c] = True
                launches[count] = r * width + c
                count += 1
            for i in range(max(r - 1, 0), r + 1):
                for j in range(max(c - 1, 0), min(c + 2, width)):
                    found = found or tiles[i, j] & GOAL != 0
            for i, j in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                to, at = r + i, c + j
                away = abs(at - column)
                if not (1 <= to < height - BELOW + 1 and 0 <= at < width) or seen[to, at] == number:
                    continue
                if tiles[to, at] & SOLID or (i == 1 and tiles[to, at] & ONE_WAY):
                    continue
                if away >= ceiling.size or row - to > ceiling[away]:
                    continue
                seen[to, at] = number
                flight[last] = to * width + at
                last += 1
        if found:
            return reached, True, True
        if steps > limit:
            return reached, False, False
        number += 1
    return reached, found, True
