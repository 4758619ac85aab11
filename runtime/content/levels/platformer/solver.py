"""Complete a platformer level: a weighted A* over the physics of docs/levels.md.

A node is the player after the same keys were held for a few ticks. Nodes that are alike (within half a tile, with
similar speeds, and the same enemy near) count as one, so the search is fast and not complete: where it finds nothing,
only reach.py can prove that there is nothing. On levels made by people a search four times as fine found nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from runtime.content.levels.platformer.game import PLATFORMER
from runtime.content.levels.platformer.motion import (
    ABOVE,
    ACROSS,
    BELOW,
    FLUID,
    GOAL,
    HIGH,
    LOW,
    MARGIN,
    SOLID,
    STOMPABLE,
    WALKS,
    at_goal,
    bounce,
    compile_enemies,
    compile_tiles,
    enemy_at,
    hurt,
    move,
    stomps,
    touches,
)
from runtime.content.levels.platformer.physics import HEIGHT, RUN
from runtime.content.levels.platformer.reach import reach
from runtime.content.levels.queue import add, pop, push, table_for
from runtime.content.levels.rules import TILE, Outcome, check_rows
from runtime.content.levels.watch import DONE, STOP, look, watched

LETTERS = ".rlJRL"  # the keys of an action: sideways (none, right, left) + 3 * jump
HOLD_GROUNDED, HOLD_AIRBORNE = 4, 6  # ticks that keys are held in a node; to the landing at most
GREED = 2  # weight of the way that is left: higher finds solutions sooner, and slower ones
LEAP = 10  # ticks that a jump counts as besides those it takes, so that there are none without need
ALERT = 5 * TILE  # nodes differ by the place of an enemy that is nearer
FAR = 1 << 30
X, Y, VX, VY, GROUNDED, TICK, STOMP, ACTION, PARENT, COST = range(10)  # columns of an array of nodes
RUNNING, DEAD, THERE = range(3)


def solve(rows: Sequence[str], budget: int = PLATFORMER.budget) -> Outcome:
    """Find a way from the start to a goal, or prove that there is none; `moves` has a letter a tick.

    `budget`: how many nodes may be kept (about 120 bytes and 2 us each).

    >>> solve(["......", "S....G", "##..##"]).status
    'solved'

    Raises:
        ValueError: rows are no level, as check_rows says.
    """
    check_rows(PLATFORMER, rows)
    tiles = compile_tiles(rows)
    enemies = compile_enemies(rows, tiles)
    row, column = _start(rows)
    steps = _steps_to_goal(tiles)
    reached, found, complete = reach(tiles, enemies, row, column, 64 * budget)
    if not found and complete:
        return Outcome("unsolvable", "", 0, _why_not(reached, steps))
    moves, nodes, there = _moves(tiles, enemies, steps, row, column, budget)
    if there:
        return Outcome("solved", moves, nodes, f"{len(moves)} ticks")
    why = f"the budget of {budget} nodes ran out" if nodes == budget else f"none of {nodes} nodes leads to a goal"
    return Outcome("unknown", "", nodes, why)


def approach(rows: Sequence[str], budget: int = PLATFORMER.budget) -> str:
    """Moves that end at a goal, or as near to one as the search gets. Arguments and errors as of solve."""
    check_rows(PLATFORMER, rows)
    tiles = compile_tiles(rows)
    row, column = _start(rows)
    return _moves(tiles, compile_enemies(rows, tiles), _steps_to_goal(tiles), row, column, budget)[0]


def _start(rows: Sequence[str]) -> tuple[int, int]:
    """Row and column of the start's tile, in the search's coordinates."""
    return next((y + ABOVE, line.index("S") + MARGIN) for y, line in enumerate(rows) if "S" in line)


def _moves(
    tiles: NDArray[np.int32], enemies: NDArray[np.int64], steps: NDArray[np.int32], row: int, column: int, budget: int
) -> tuple[str, int, bool]:
    """The moves to the best node from the start's tile, how many nodes were kept, whether the moves end at a goal."""
    start = TILE * column + TILE // 2, TILE * (row + 1)
    near = _enemies_near(enemies, tiles.shape[1])
    numbers = watched()
    actions, nodes, there = _search(tiles, enemies, *near, steps, *start, budget, numbers)
    look(numbers, nodes)
    return "".join(LETTERS[action] for action in actions), nodes, there


def _why_not(reached: NDArray[np.bool_], steps: NDArray[np.int32]) -> str:
    """Why a player who can reach these tiles reaches no goal."""
    nearest = np.argmin(np.where(reached, steps, FAR))
    row, column = np.unravel_index(nearest, steps.shape)
    if steps[row, column] == FAR:
        return "what is solid shuts the start off from every goal"
    return f"nothing leads on from row {row - ABOVE}, column {column - MARGIN}, even if enemies did no harm"


def _enemies_near(enemies: NDArray[np.int64], width: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The enemies that can come near each column: those of c are the second[first[c] : first[c + 1]]."""
    lists: list[list[int]] = [[] for _ in range(width)]
    away = ALERT // TILE
    for number, enemy in enumerate(enemies.tolist()):
        low, high = (enemy[LOW], enemy[HIGH]) if enemy[WALKS] else (enemy[ACROSS], enemy[ACROSS])
        for column in range(max(low // TILE - away, 0), min(high // TILE + away + 1, width)):
            lists[column].append(number)
    offsets = np.cumsum([0] + [len(numbers) for numbers in lists]).astype(np.int32)
    return offsets, np.array([number for numbers in lists for number in numbers], np.int32)


@njit(cache=True, nogil=True)
def _steps_to_goal(tiles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Steps from tile to neighbouring tile, none solid, from each to the nearest goal; FAR where there is no way."""
    height, width = tiles.shape
    steps = np.full((height, width), FAR, np.int32)
    queue = np.empty(height * width, np.int32)
    count = 0
    for row in range(height):
        for column in range(width):
            if tiles[row, column] & GOAL:
                steps[row, column] = 0
                queue[count] = row * width + column
                count += 1
    at = 0
    while at < count:
        row, column = queue[at] // width, queue[at] % width
        at += 1
        for i, j in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            r, c = row + i, column + j
            if 0 <= r < height and 0 <= c < width and steps[r, c] == FAR and not tiles[r, c] & SOLID:
                steps[r, c] = steps[row, column] + 1
                queue[count] = r * width + c
                count += 1
    return steps


@njit(cache=True, nogil=True)
def _search(
    tiles: NDArray[np.int32],
    enemies: NDArray[np.int64],
    offsets: NDArray[np.int32],
    near: NDArray[np.int32],
    steps: NDArray[np.int32],
    x: int,
    y: int,
    budget: int,
    numbers: NDArray[np.int64],
) -> tuple[NDArray[np.int8], int, bool]:
    """The action of every tick to a goal or to the node nearest to one, the number of nodes, whether it is a goal.

    `numbers`: progress, and whether to stop (runtime/content/levels/watch.py).
    """
    nodes = np.empty((budget, 10), np.int64)
    nodes[0] = np.array((x, y, 0, 0, 0, 0, 0, 0, 0, 0))
    stomped = np.zeros((budget + 1, 2), np.int64)  # of each stomp: the enemy, and the stomp before; 0 is none
    stomp_count = 1
    heap = np.empty(budget, np.int64)  # cost << 32 | node: equal costs in the order they were found
    heap[0] = 0
    count, waiting = 1, 1
    best, best_left = 0, FAR
    table = table_for(budget)  # keys of the nodes there are
    while waiting and not numbers[STOP]:
        numbers[DONE] = count
        parent = pop(heap, waiting) & 0xFFFFFFFF
        waiting -= 1
        at = nodes[parent]
        for action in range(6):
            column = at[X] >> 4
            idle = at[VY] >= 0 and not at[GROUNDED] and not tiles[(at[Y] - HEIGHT // 2) >> 4, column] & FLUID
            if action >= 3 and idle and offsets[column] == offsets[column + 1]:
                continue  # falling, and nothing to swim in or to bounce off: jump does nothing
            if stomp_count + len(enemies) > budget:
                return _actions(nodes, best), count, False
            moved, stomp_count = _held(tiles, enemies, offsets, near, stomped, stomp_count, at, action)
            result, x, y = moved[0], moved[1], moved[2]
            column, row = x >> 4, (y - HEIGHT // 2) >> 4
            if result == DEAD or steps[row, column] == FAR:
                continue
            if not add(table, _key(enemies, offsets, near, moved)):
                continue
            if count == budget:
                return _actions(nodes, best), count, False
            node = nodes[count]
            node[X], node[Y], node[VX], node[VY], node[GROUNDED], node[TICK], node[STOMP] = moved[1:]
            node[ACTION], node[PARENT] = action, parent
            if result == THERE:
                return _actions(nodes, count), count + 1, True
            if steps[row, column] < best_left:
                best, best_left = count, steps[row, column]
            node[COST] = at[COST] + node[TICK] - at[TICK] + (LEAP if at[GROUNDED] and action >= 3 else 0)
            push(heap, waiting, (node[COST] + GREED * TILE * steps[row, column] // RUN) << 32 | count)
            waiting += 1
            count += 1
    return _actions(nodes, best), count, False


@njit(cache=True, nogil=True)
def _held(
    tiles: NDArray[np.int32],
    enemies: NDArray[np.int64],
    offsets: NDArray[np.int32],
    near: NDArray[np.int32],
    stomped: NDArray[np.int64],
    stomp_count: int,
    node: NDArray[np.int64],
    action: int,
) -> tuple[tuple[int, int, int, int, int, int, int, int], int]:
    """Hold the keys of an action: what comes of it, the columns of a node up to STOMP; the count of stomps."""
    x, y, vx, vy = int(node[X]), int(node[Y]), int(node[VX]), int(node[VY])
    grounded, tick, stomp = node[GROUNDED] != 0, int(node[TICK]), int(node[STOMP])
    was_grounded = grounded
    jump = action >= 3
    direction = action % 3 if action % 3 < 2 else -1
    bottom = TILE * (tiles.shape[0] - BELOW)
    result = RUNNING
    for _ in range(HOLD_GROUNDED if grounded else HOLD_AIRBORNE):
        old_y = y
        x, y, vx, vy, grounded = move(tiles, x, y, vx, vy, grounded, direction, jump)
        tick += 1
        if y - HEIGHT >= bottom or hurt(tiles, x, y):
            result = DEAD
            break
        for i in range(offsets[x >> 4], offsets[(x >> 4) + 1]):
            enemy = int(near[i])
            left, top = enemy_at(enemies, enemy, tick)
            if not touches(x, y, left, top):
                continue
            before = stomp
            while before and stomped[before, 0] != enemy:
                before = int(stomped[before, 1])
            if before:
                continue  # it is gone
            if not (enemies[enemy, STOMPABLE] and stomps(old_y, y, top)):
                result = DEAD
                break
            stomped[stomp_count, 0], stomped[stomp_count, 1] = enemy, stomp
            stomp = stomp_count
            stomp_count += 1
            vy, grounded = bounce(jump), False
        if result == DEAD:
            break
        if at_goal(tiles, x, y):
            result = THERE
            break
        if grounded and not was_grounded:
            break
    return (result, x, y, vx, vy, int(grounded), tick, stomp), stomp_count


@njit(cache=True, nogil=True)
def _key(
    enemies: NDArray[np.int64],
    offsets: NDArray[np.int32],
    near: NDArray[np.int32],
    moved: tuple[int, int, int, int, int, int, int, int],
) -> int:
    """What nodes that count as one have in common; never 0."""
    _, x, y, vx, vy, grounded, tick, _ = moved
    nearest, closest = 0, ALERT
    for i in range(offsets[x >> 4], offsets[(x >> 4) + 1]):
        left, top = enemy_at(enemies, int(near[i]), tick)
        away = abs(left + TILE // 2 - x) + abs(top + TILE // 2 - y)
        if away < closest:
            closest = away
            nearest = 1 + (((left - x) >> 4) & 15) * 16 + (((top - y) >> 4) & 15)
    key = ((x >> 3) << 20 | y >> 3) << 4 | (vx + 8) >> 1
    return ((key << 4 | (vy + 32) >> 2) << 1 | grounded) << 9 | nearest + 1


@njit(cache=True, nogil=True)
def _actions(nodes: NDArray[np.int64], last: int) -> NDArray[np.int8]:
    """The action of every tick up to a node."""
    actions = np.empty(nodes[last, TICK], np.int8)
    while last:
        parent = int(nodes[last, PARENT])
        actions[nodes[parent, TICK] : nodes[last, TICK]] = nodes[last, ACTION]
        last = parent
    return actions
