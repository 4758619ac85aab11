"""The platformer's physics, compiled for the search: a tick among tiles, and the places of enemies.

The rules are those of step.py, which verifies the search's solutions, implemented a second time for speed. A level is
an array of flags with a margin, so that no function checks its borders. Coordinates count from the margin's corner.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from runtime.content.levels.platformer import physics
from runtime.content.levels.platformer.physics import (
    BOUNCE,
    CUT,
    ENEMY_INSET,
    FALL,
    GRAVITY,
    HALF_WIDTH,
    HEIGHT,
    HIGH_BOUNCE,
    JUMP,
    MERCY,
    RUN,
    RUNNING,
    RUNNING_JUMP,
    SINK,
    SPRING_JUMP,
    STEP,
    STROKE,
    SWIM,
)
from runtime.content.levels.rules import TILE

SOLID, ONE_WAY, HURTS, FLUID, GOAL, SPRING, SLOPE = (1 << bit for bit in range(7))
LEFT, RIGHT = 8, 16  # bits of a slope's heights over the bottom of its tile, at its ends
MARGIN, ABOVE, BELOW = 1, 24, 4  # tiles added at the sides, above (a trampoline throws that high) and below
NONE = 1 << 20  # in place of a y: there is none
WALKS, STOMPABLE, ACROSS, LOW, HIGH, START, SPEED = range(7)  # columns of an array of enemies


def compile_tiles(rows: Sequence[str]) -> NDArray[np.int32]:
    """The tiles of a level that check_rows accepts, as flags and slope heights, int32 (ABOVE + H + BELOW, W + 2)."""
    height, width = len(rows), len(rows[0])
    of_char = np.zeros(128, np.int32)
    for chars, flag in (
        (physics.SOLID, SOLID),
        (physics.ONE_WAY, ONE_WAY),
        (physics.HURTS, HURTS),
        (physics.FLUID, FLUID),
        (physics.GOALS, GOAL),
        (physics.SPRING, SPRING),
        (physics.SLOPES, SLOPE),
    ):
        for char in chars:
            of_char[ord(char)] |= flag
    text = np.frombuffer("".join(rows).encode("ascii"), np.uint8).reshape(height, width)
    tiles = np.full((ABOVE + height + BELOW, width + 2 * MARGIN), SOLID, np.int32)
    tiles[:, MARGIN:-MARGIN] = 0
    inner = tiles[ABOVE:-BELOW, MARGIN:-MARGIN]
    inner[:] = of_char[text]
    tiles[:ABOVE] = tiles[ABOVE] & SOLID
    _slopes(text == ord("/"), inner, LEFT, RIGHT)
    _slopes((text == ord("\\"))[:, ::-1], inner[:, ::-1], RIGHT, LEFT)
    return tiles


def _slopes(rising: NDArray[np.bool_], tiles: NDArray[np.int32], low: int, high: int) -> None:
    """Add the heights of slopes that rise to the right; each run of n rises by one tile."""
    for row, column in np.argwhere(rising):
        if column and rising[row, column - 1]:
            continue
        run = 1
        while column + run < rising.shape[1] and rising[row, column + run]:
            run += 1
        steps = TILE * np.arange(run + 1) // run
        tiles[row, column : column + run] |= (steps[:-1] << low) + (steps[1:] << high)


def compile_enemies(rows: Sequence[str], tiles: NDArray[np.int32]) -> NDArray[np.int64]:
    """The ways of a level's enemies, int64 (N, 7), in row-major order of where they start.

    ACROSS is the coordinate that stays, LOW to HIGH the way along the other (x where it WALKS), START where it begins.
    """
    stand = tiles & (SOLID | ONE_WAY | SLOPE) != 0
    walk = tiles & (SOLID | SLOPE) == 0
    walk[:-1] &= stand[1:]
    found = []
    for y, line in enumerate(rows):
        for x, char in enumerate(line):
            row, column = y + ABOVE, x + MARGIN
            stompable = char in physics.STOMPABLE
            if char in physics.FLYERS:
                up = row - 1 if not tiles[row - 1, column] & SOLID else row
                down = row + 1 if not tiles[row + 1, column] & SOLID else row
                found.append((0, stompable, TILE * column, TILE * up, TILE * down, TILE * row, physics.HOVER))
            elif char in physics.WALKERS:
                below = np.flatnonzero(stand[row + 1 : -BELOW, column])
                if not below.size:
                    continue  # falls out of the level
                floor = row + int(below[0])
                first = last = column
                while walk[floor, first - 1]:
                    first -= 1
                while walk[floor, last + 1]:
                    last += 1
                way = (TILE * floor, TILE * first, TILE * last, TILE * column, physics.PATROL)
                found.append((1, stompable, *way))
    return np.array(found, np.int64).reshape(-1, 7)


@njit(cache=True, nogil=True, inline="always")
def under(tiles: NDArray[np.int32], left: int, right: int, top: int, bottom: int) -> int:
    """All flags under a box of at most 16 x 16 pixels, ends included."""
    first, last, up, down = left >> 4, right >> 4, top >> 4, bottom >> 4
    return int(tiles[up, first] | tiles[up, last] | tiles[down, first] | tiles[down, last])


@njit(cache=True, nogil=True, inline="always")
def _blocked(tiles: NDArray[np.int32], x: int, y: int, knees: int) -> bool:
    return under(tiles, x - HALF_WIDTH, x + HALF_WIDTH - 1, y - HEIGHT, y - knees - 1) & SOLID != 0


@njit(cache=True, nogil=True)
def _slope(tiles: NDArray[np.int32], x: int, highest: int, lowest: int) -> int:
    """The highest slope's surface at x with highest <= y <= lowest; below `lowest` where there is none."""
    column = x >> 4
    for row in range((highest - 1) >> 4, (lowest >> 4) + 1):
        tile = int(tiles[row, column])
        if tile & SLOPE:
            low = (tile >> LEFT) & 31
            y = TILE * (row + 1) - low - (((tile >> RIGHT) - low) * (x & 15) >> 4)
            if highest <= y <= lowest:
                return y
    return lowest + 1


@njit(cache=True, nogil=True)
def _flat(tiles: NDArray[np.int32], x: int, highest: int, lowest: int) -> int:
    """The highest tile's top under the box with highest <= y <= lowest; below `lowest` where there is none."""
    for row in range((highest + TILE - 1) >> 4, (lowest >> 4) + 1):
        if (tiles[row, (x - HALF_WIDTH) >> 4] | tiles[row, (x + HALF_WIDTH - 1) >> 4]) & (SOLID | ONE_WAY):
            return row << 4
    return lowest + 1


@njit(cache=True, nogil=True)
def _feet(tiles: NDArray[np.int32], x: int, y: int, lowest: int, grounded: bool) -> int:
    """Where feet at y come to on the ground at x, or are lifted to in the air; NONE where there is nothing."""
    to = _slope(tiles, x, y - STEP, lowest)
    if to <= lowest:
        row = (to - 1) >> 4
        beside = (tiles[row, (x - HALF_WIDTH) >> 4] | tiles[row, (x + HALF_WIDTH - 1) >> 4]) & SOLID
        return row << 4 if beside and to - (row << 4) <= STEP else to
    if grounded:
        to = _flat(tiles, x, y - STEP, y + STEP)
        if to <= y + STEP:
            return to
    return NONE


@njit(cache=True, nogil=True)
def move(
    tiles: NDArray[np.int32], x: int, y: int, vx: int, vy: int, grounded: bool, direction: int, jump: bool
) -> tuple[int, int, int, int, bool]:
    """One tick among tiles: the player's x, y, speeds, and whether they stand. Arguments as in step.py."""
    old_x = x
    column, middle = x >> 4, (y - HEIGHT // 2) >> 4
    swims = tiles[middle, column] & FLUID != 0
    if direction == 0:
        vx -= (vx > 0) - (vx < 0)
    else:
        vx += direction * (2 if vx * direction < 0 else 1)
    fastest = SWIM if swims else RUN
    vx = max(-fastest, min(fastest, vx))
    if swims:
        grounded = False
        out = tiles[middle - 1, column] & (FLUID | SOLID) == 0
        vy = min(vy + 1, SINK) if not jump else -JUMP if out else -STROKE
    elif grounded and jump:
        grounded = False
        if y & 15 == 0 and under(tiles, x - HALF_WIDTH, x + HALF_WIDTH - 1, y, y) & SPRING:
            vy = -SPRING_JUMP
        else:
            vy = -RUNNING_JUMP if abs(vx) >= RUNNING else -JUMP

    lowest = y
    if grounded:
        held_over = _slope(tiles, x, y, y + STEP)
        lowest = (held_over if held_over <= y + STEP else y) + STEP
    x += vx
    to = _feet(tiles, x, y, lowest, grounded)
    if vx != 0 and _blocked(tiles, x, y, STEP if grounded else 0) and (to == NONE or _blocked(tiles, x, to, 0)):
        wall = (x + HALF_WIDTH - 1) & ~15 if vx > 0 else ((x - HALF_WIDTH) & ~15) + TILE
        x = wall - HALF_WIDTH if vx > 0 else wall + HALF_WIDTH
        vx = 0
        to = _feet(tiles, x, y, lowest, grounded)
    if _blocked(tiles, x, y if to == NONE else to, 0):
        x, vx = old_x, 0
    elif to != NONE:
        y = to
    else:
        grounded = False
    if grounded:
        return x, y, vx, 0, True

    if vy < 0:
        for row in range((y - HEIGHT - 1) >> 4, ((y + vy - HEIGHT) >> 4) - 1, -1):
            if (tiles[row, (x - HALF_WIDTH) >> 4] | tiles[row, (x + HALF_WIDTH - 1) >> 4]) & SOLID:
                y, vy = TILE * (row + 1) + HEIGHT, 0
                break
        else:
            y += vy
    elif vy > 0:
        to = min(_slope(tiles, x, y, y + vy), _flat(tiles, x, y, y + vy))
        if to <= y + vy:
            return x, to, vx, 0, True
        y += vy
    if not swims:
        vy = min(vy + CUT, 0) if vy < 0 and not jump else min(vy + GRAVITY, FALL)
    return x, y, vx, vy, False


@njit(cache=True, nogil=True)
def enemy_at(enemies: NDArray[np.int64], number: int, tick: int) -> tuple[int, int]:
    """Left and top pixel of an enemy's tile."""
    low, high, start = enemies[number, LOW], enemies[number, HIGH], enemies[number, START]
    along = start
    if high > low:
        span = high - low
        gone = (high - start + enemies[number, SPEED] * tick) % (2 * span)
        along = high - gone if gone <= span else low + gone - span
    if enemies[number, WALKS]:
        return along, enemies[number, ACROSS]
    return enemies[number, ACROSS], along


@njit(cache=True, nogil=True, inline="always")
def hurt(tiles: NDArray[np.int32], x: int, y: int) -> bool:
    """Whether tiles kill the player."""
    left, right = x - HALF_WIDTH + MERCY, x + HALF_WIDTH - MERCY - 1
    return under(tiles, left, right, y - HEIGHT + MERCY, y - MERCY - 1) & HURTS != 0


@njit(cache=True, nogil=True, inline="always")
def at_goal(tiles: NDArray[np.int32], x: int, y: int) -> bool:
    """Whether the player touches a goal."""
    return under(tiles, x - HALF_WIDTH, x + HALF_WIDTH - 1, y - HEIGHT, y - 1) & GOAL != 0


@njit(cache=True, nogil=True, inline="always")
def touches(x: int, y: int, left: int, top: int) -> bool:
    """Whether the player's box meets that of an enemy whose tile is at (left, top)."""
    return (
        x + HALF_WIDTH > left + ENEMY_INSET
        and x - HALF_WIDTH < left + TILE - ENEMY_INSET
        and y > top + ENEMY_INSET
        and y - HEIGHT < top + TILE
    )


@njit(cache=True, nogil=True, inline="always")
def stomps(old_y: int, y: int, top: int) -> bool:
    """Whether feet that went from old_y to y came down on an enemy."""
    return old_y <= top + TILE // 2 and old_y < y


@njit(cache=True, nogil=True, inline="always")
def bounce(jump: bool) -> int:
    """The speed after a stomp."""
    return -HIGH_BOUNCE if jump else -BOUNCE
