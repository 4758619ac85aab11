"""Sokoban's search, compiled: A* over positions, which are where the boxes are and which region the player is in.

Cells are numbered; -1 is no cell. The estimate of the pushes left is the cheapest assignment of boxes to targets, each
box as if it were alone and the player everywhere (Junghanns and Schaeffer 2001, "Sokoban: enhancing general
single-agent search methods using domain knowledge"). It never overestimates, and a push never lowers it by more than
one, so the first solution taken from the queue has the fewest pushes and no position is opened twice.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from runtime.content.levels.watch import DONE, STOP

SOLVED, UNSOLVABLE, UNKNOWN = 0, 1, 2
FAR = 1 << 20  # pushes: more than any box needs
OPPOSITE = (1, 0, 3, 2)  # of up, down, left, right

Cells = NDArray[np.int32]


@njit(cache=True, nogil=True)
def push_distances(neighbours: Cells, targets: Cells) -> Cells:
    """Pushes that take a box from each cell to each target with nothing else around: int32 (targets, cells), or FAR.

    `neighbours`: int32 (cells, 4), up, down, left, right. Found by pulling boxes away from the targets.
    """
    distances = np.full((len(targets), len(neighbours)), FAR, np.int32)
    queue = np.empty(len(neighbours), np.int32)
    for t in range(len(targets)):
        distances[t, targets[t]] = 0
        queue[0] = targets[t]
        first, last = 0, 1
        while first < last:
            cell = queue[first]
            first += 1
            for way in range(4):
                before = neighbours[cell, way]
                if before >= 0 and neighbours[before, way] >= 0 and distances[t, before] == FAR:
                    distances[t, before] = distances[t, cell] + 1
                    queue[last] = before
                    last += 1
    return distances


@njit(cache=True, nogil=True)
def cheapest_assignment(distances: Cells, boxes: Cells) -> int:
    """Pushes of the cheapest assignment that gives every target a box of its own; FAR or more if there is none.

    The Hungarian method by shortest augmenting paths (Jonker and Volgenant 1987). There are at least as many boxes as
    targets.
    """
    targets, count = len(distances), len(boxes)
    for_target, for_box = np.zeros(targets + 1, np.int64), np.zeros(count + 1, np.int64)  # the duals
    owner = np.zeros(count + 1, np.int32)  # the target that has a box; both are counted from 1, 0 is none
    before = np.zeros(count + 1, np.int32)
    slack = np.empty(count + 1, np.int64)
    done = np.empty(count + 1, np.bool_)
    for target in range(1, targets + 1):
        owner[0] = target
        slack[:] = np.int64(1) << 40
        done[:] = False
        box = 0
        while owner[box] != 0:
            done[box] = True
            t = owner[box]
            least, following = np.int64(1) << 40, 0
            for b in range(1, count + 1):
                if done[b]:
                    continue
                reduced = distances[t - 1, boxes[b - 1]] - for_target[t] - for_box[b]
                if reduced < slack[b]:
                    slack[b] = reduced
                    before[b] = box
                if slack[b] < least:
                    least, following = slack[b], b
            for b in range(count + 1):
                if done[b]:
                    for_target[owner[b]] += least
                    for_box[b] -= least
                else:
                    slack[b] -= least
            box = following
        while box != 0:
            owner[box] = owner[before[box]]
            box = before[box]
    total = 0
    for b in range(1, count + 1):
        if owner[b] != 0:
            total += distances[owner[b] - 1, boxes[b - 1]]
    return total


@njit(cache=True, nogil=True)
def frozen(neighbours: Cells, dead: NDArray[np.bool_], boxes: Cells, box_at: Cells) -> NDArray[np.bool_]:
    """Which boxes can never move again without one being lost on a dead square: bool (boxes,).

    The largest set in which each box is held on both axes, by a wall, by dead squares on both sides, or by another of
    the set. `box_at`: a cell's box, or -1.
    """
    held = np.ones(len(boxes), np.bool_)
    changed = True
    while changed:
        changed = False
        for b in range(len(boxes)):
            if not held[b]:
                continue
            for axis in range(2):
                one, other = neighbours[boxes[b], 2 * axis], neighbours[boxes[b], 2 * axis + 1]
                blocked = one < 0 or other < 0 or (dead[one] and dead[other])
                blocked = blocked or (box_at[one] >= 0 and held[box_at[one]])
                if not (blocked or (box_at[other] >= 0 and held[box_at[other]])):
                    held[b] = False
                    changed = True
                    break
    return held


@njit(cache=True, nogil=True)
def _walk(neighbours: Cells, box_at: Cells, player: int, reached: Cells, stamp: int, queue: Cells) -> int:
    """Set `reached` to `stamp` wherever the player can walk to; gives the lowest cell of them."""
    reached[player] = stamp
    queue[0] = player
    first, last, lowest = 0, 1, player
    while first < last:
        cell = queue[first]
        first += 1
        for way in range(4):
            other = neighbours[cell, way]
            if other >= 0 and reached[other] != stamp and box_at[other] < 0:
                reached[other] = stamp
                queue[last] = other
                last += 1
                lowest = min(lowest, other)
    return lowest


@njit(cache=True, nogil=True)
def _slot(keys: Cells, key: Cells, table: Cells) -> int:
    """Where in the hash table (open addressing; 0 is free, else a state's number + 1) a key is, or would go."""
    mixed = np.uint64(0xCBF29CE484222325)
    for part in key:
        mixed = (mixed ^ np.uint64(part)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    slot: int = np.int64(mixed & np.uint64(len(table) - 1))  # type: ignore[assignment]
    while table[slot] != 0 and not np.array_equal(keys[table[slot] - 1], key):
        slot = (slot + 1) & (len(table) - 1)
    return slot


@njit(cache=True, nogil=True)
def search(
    neighbours: Cells,
    distances: Cells,
    dead: NDArray[np.bool_],
    start: Cells,
    player: int,
    budget: int,
    numbers: NDArray[np.int64],
) -> tuple[int, int, Cells]:
    """Find the fewest pushes that fill all targets: (SOLVED, UNSOLVABLE or UNKNOWN, positions, pushes).

    `start`: the boxes' cells, ascending. `dead`: cells a box must not be pushed to. `budget`: positions to keep, at
    most. `numbers`: progress, and whether to stop, which gives UNKNOWN (runtime/content/levels/watch.py). A
    push is 4 * (the box's cell before it) + the way it goes, 0 to 3.
    """
    count, cells = len(start), len(neighbours)
    spare = count - len(distances)  # boxes that need no target
    keys = np.empty((budget, count + 1), np.int32)  # boxes ascending, then the lowest cell of the player's region
    size = 1
    while size < 2 * budget:
        size *= 2
    table = np.zeros(size, np.int32)
    parent, pushed = np.empty(budget, np.int32), np.empty(budget, np.int32)
    cost, estimate = np.empty(budget, np.int32), np.empty(budget, np.int32)
    # Open positions by cost + estimate: a list a value, linked both ways, the newest first; numbers + 1, 0 is none.
    heads = np.zeros(budget + count * cells + 2, np.int32)
    newer, older = np.zeros(budget, np.int32), np.zeros(budget, np.int32)
    box_at = np.full(cells, -1, np.int32)
    reached, region = np.zeros(cells, np.int32), np.zeros(cells, np.int32)
    queue = np.empty(cells, np.int32)
    boxes, key = start.copy(), np.empty(count + 1, np.int32)
    stamp = 0

    for b in range(count):
        box_at[boxes[b]] = b
    stamp += 1
    keys[0, :count] = boxes
    keys[0, count] = _walk(neighbours, box_at, player, region, stamp, queue)
    table[_slot(keys, keys[0], table)] = 1
    parent[0], cost[0], estimate[0] = -1, 0, cheapest_assignment(distances, boxes)
    for b in range(count):
        box_at[boxes[b]] = -1
    known = 1
    if estimate[0] >= FAR:
        return UNSOLVABLE, known, boxes[:0]
    value = estimate[0]
    heads[value] = 1
    while True:
        numbers[DONE] = known
        while value < len(heads) and heads[value] == 0:
            value += 1
        if value == len(heads):
            return UNSOLVABLE, known, boxes[:0]
        state = heads[value] - 1
        heads[value] = older[state]
        if older[state]:
            newer[older[state] - 1] = 0
        if estimate[state] == 0:
            break
        boxes[:] = keys[state, :count]
        for b in range(count):
            box_at[boxes[b]] = b
        stamp += 1
        _walk(neighbours, box_at, keys[state, count], reached, stamp, queue)
        opened = stamp
        for b in range(count):
            if numbers[STOP]:
                return UNKNOWN, known, boxes[:0]
            cell = keys[state, b]
            for way in range(4):
                behind, ahead = neighbours[cell, OPPOSITE[way]], neighbours[cell, way]
                if behind < 0 or ahead < 0 or reached[behind] != opened or box_at[ahead] >= 0 or dead[ahead]:
                    continue
                boxes[b] = ahead
                box_at[cell], box_at[ahead] = -1, b
                stamp += 1
                key[:count] = np.sort(boxes)
                key[count] = _walk(neighbours, box_at, cell, region, stamp, queue)
                slot = _slot(keys, key, table)
                child = table[slot] - 1
                if child < 0:
                    lost = 0
                    stuck = frozen(neighbours, dead, boxes, box_at)
                    for other in range(count):
                        if stuck[other] and distances[:, boxes[other]].min() > 0:
                            lost += 1
                    left = cheapest_assignment(distances, boxes) if lost <= spare else FAR
                    if left < FAR:
                        if known == budget:
                            return UNKNOWN, known, boxes[:0]
                        child, known = known, known + 1
                        table[slot] = known
                        keys[child] = key
                        cost[child], estimate[child] = FAR, left
                if child >= 0 and cost[state] + 1 < cost[child]:
                    if cost[child] < FAR:  # open already, by a longer way: out of its list
                        if newer[child]:
                            older[newer[child] - 1] = older[child]
                        else:
                            heads[cost[child] + estimate[child]] = older[child]
                        if older[child]:
                            newer[older[child] - 1] = newer[child]
                    cost[child], parent[child], pushed[child] = cost[state] + 1, state, 4 * cell + way
                    at = cost[child] + estimate[child]
                    newer[child], older[child] = 0, heads[at]
                    if heads[at]:
                        newer[heads[at] - 1] = child + 1
                    heads[at] = child + 1
                boxes[b] = cell
                box_at[ahead], box_at[cell] = -1, b
        for b in range(count):
            box_at[boxes[b]] = -1
    pushes = np.empty(cost[state], np.int32)
    while parent[state] >= 0:
        pushes[cost[state] - 1] = pushed[state]
        state = parent[state]
    return SOLVED, known, pushes
