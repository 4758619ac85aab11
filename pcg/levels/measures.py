"""What is measured on a level of a corpus, so that a model can be told it: how hard it is.

Difficulty is a rank: 0 for the easiest level of the training set, 1 for the hardest.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runtime.content.levels import dungeon, rules, sokoban
from runtime.content.levels.difficulty import labour_of_dungeon, labour_of_sokoban
from runtime.content.levels.dungeon_places import place_stairs

BUDGET = 50_000  # nodes of a solver for a level of a corpus


def sokoban_labour(rows: Sequence[str]) -> float | None:
    """Of the solution with the fewest pushes; None where none is found."""
    outcome = sokoban.solve(rows, BUDGET)
    return labour_of_sokoban(rows, outcome.moves) if outcome.status == "solved" else None


def dungeon_labour(rows: Sequence[str]) -> float | None:
    """Of the shortest way from start to goal, as the rules place them; None where there is none."""
    try:
        placed = place_stairs(rows)
    except ValueError:
        return None
    outcome = dungeon.solve(placed, BUDGET)
    return labour_of_dungeon(placed, outcome.moves) if outcome.status == "solved" else None


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


MEASURES = {
    "platformer": platformer_danger,
    "sokoban": sokoban_labour,
    "dungeon": dungeon_labour,
    "runner": runner_labour,
}


def measure(game: str, rows: Sequence[str]) -> float | None:
    """How hard a level of a game is, in a unit of that game's own; None where it can't be completed."""
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
