"""The difficulty of the levels of a corpus, which a model gets as a condition.

A solver completes each level, and its labour is measured as levels.generate measures it on generated levels.
Difficulty is the rank by labour: 0 for the easiest level of the training set, 1 for the hardest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.content.levels.games import kit_of
from runtime.content.levels.rules import Game
from runtime.content.levels.runner.game import RUNNER

BUDGET = 50_000  # nodes of the solver for a level of a corpus
BUDGETS = {RUNNER.name: RUNNER.budget}  # for games that need more


def labour_of(game: Game, rows: Sequence[str]) -> float | None:
    """The labour of a level, in the game's unit; None if the solver finds no solution.

    Start and goal are placed where the game has a rule for it.

    Raises:
        ValueError: rows are no level of the game.
    """
    kit = kit_of(game)
    try:
        rows = kit.place_ends(rows)
    except ValueError:  # there is no floor for them
        return None
    outcome = kit.solve(rows, BUDGETS.get(game.name, BUDGET))
    return kit.labour(rows, outcome.moves) if outcome.status == "solved" else None


def ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Each value's rank among all values, from 0 to 1; equal values get the mean of their ranks.

    >>> ranks([5.0, 1.0, 5.0, 9.0]).tolist()
    [0.5, 0.0, 0.5, 1.0]
    """
    ordered = np.sort(np.asarray(values, np.float64))
    below = np.searchsorted(ordered, values, "left")
    upto = np.searchsorted(ordered, values, "right") - 1
    return (below + upto) / 2 / max(1, len(ordered) - 1)
