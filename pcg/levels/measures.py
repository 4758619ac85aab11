"""What is measured on a level of a corpus, so that a model can be told it: how hard it is.

Difficulty is a rank: 0 for the easiest level of the training set, 1 for the hardest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runtime.content.levels import rules


def sokoban_pushes(rows: Sequence[str]) -> float:
    """Pushes that the boxes need if none is in another's way: a lower bound of the solution's, and close to it."""
    from runtime.content.levels import sokoban_search as search

    places = [(y, x) for y, row in enumerate(rows) for x, char in enumerate(row) if char != "#"]
    cells = {place: cell for cell, place in enumerate(places)}
    ways = ((-1, 0), (1, 0), (0, -1), (0, 1))
    neighbours = np.array([[cells.get((y + dy, x + dx), -1) for dy, dx in ways] for y, x in places], np.int32)
    boxes, targets = (np.array([cells[place] for place in rules.find(rows, c)], np.int32) for c in ("$*", ".*+"))
    distances = search.push_distances(neighbours, targets)
    return float(search.cheapest_assignment(distances, boxes))


def dungeon_danger(rows: Sequence[str]) -> float:
    """The longest way through the level, in units of its sides, and what lurks there: monsters and hazards for 20 tiles
    of floor weigh as much as one more side to walk.
    """
    tiles = rules.DUNGEON.tiles
    walkable = {(y, x) for y, row in enumerate(rows) for x, c in enumerate(row) if not (tiles[c].solid or c in "L")}
    dangers = sum(tiles[char].hazard for row in rows for char in row)
    sides = len(rows) + len(rows[0])
    return _longest_way(walkable) / sides + 20 * dangers / max(1, len(walkable) + dangers)


def runner_labour(rows: Sequence[str]) -> float:
    """How far the player has to go to fetch all gold, always the nearest next, as if there were no walls. One more
    enemy is as bad as ten tiles.
    """
    gold = set(rules.find(rows, "G"))
    y, x = next(iter(rules.find(rows, "M")), (0, 0))
    way = 0
    while gold:
        steps, place = min((abs(place[0] - y) + abs(place[1] - x), place) for place in gold)
        gold.remove(place)
        way += steps
        y, x = place
    return way + 10.0 * len(rules.find(rows, "E"))


def platformer_danger(rows: Sequence[str]) -> float:
    """What a column asks of the player, on average: one for an enemy or hazard, one for having no ground, and a quarter
    for each tile that the ground rises or falls, up to one.
    """
    tiles = rules.PLATFORMER.tiles
    columns = ["".join(row[x] for row in reversed(rows)) for x in range(len(rows[0]))]
    dangers = sum(any(tiles[char].hazard for char in column) for column in columns)
    heights = [next((h for h, c in enumerate(column) if not tiles[c].solid), len(rows)) for column in columns]
    gaps = sum(not any(tiles[char].solid for char in column) for column in columns)
    steps = sum(min(1.0, abs(a - b) / 4) for a, b in pairwise(heights))
    return (dangers + gaps + steps) / len(columns)


def _longest_way(walkable: set[tuple[int, int]]) -> int:
    """Steps between two ends of the largest connected part, found by walking to the farthest tile twice."""
    left, largest = set(walkable), 0
    longest = 0
    while left:
        reached = _distances(walkable, min(left))
        left -= reached.keys()
        if len(reached) > largest:
            largest = len(reached)
            far = max(reached, key=lambda place: (reached[place], place))
            longest = max(_distances(walkable, far).values())
    return longest


def _distances(walkable: set[tuple[int, int]], start: tuple[int, int]) -> dict[tuple[int, int], int]:
    steps = {start: 0}
    queue = deque([start])
    while queue:
        y, x = queue.popleft()
        for place in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if place in walkable and place not in steps:
                steps[place] = steps[y, x] + 1
                queue.append(place)
    return steps


MEASURES = {
    "platformer": platformer_danger,
    "sokoban": sokoban_pushes,
    "dungeon": dungeon_danger,
    "runner": runner_labour,
}


def measure(game: str, rows: Sequence[str]) -> float:
    """How hard a level of a game is, in a unit of that game's own."""
    return MEASURES[game](rows)


def ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Each value's rank among all, from 0 to 1; equal values share the middle of their ranks.

    >>> ranks([5.0, 1.0, 5.0, 9.0]).tolist()
    [0.5, 0.0, 0.5, 1.0]
    """
    ordered = np.sort(np.asarray(values, np.float64))
    below = np.searchsorted(ordered, values, "left")
    upto = np.searchsorted(ordered, values, "right") - 1
    return (below + upto) / 2 / max(1, len(ordered) - 1)
