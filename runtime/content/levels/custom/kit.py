"""The kit of a custom game, made from its legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from runtime.content.checks import invalid
from runtime.content.levels.candidates import given_count, one_each, requested
from runtime.content.levels.custom import repair, replay, search
from runtime.content.levels.custom.game import CustomGame, with_free_tiles
from runtime.content.levels.kit import GameKit, Player
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import find, goals_of, starts_of


def custom_kit(game: CustomGame) -> GameKit:
    """The game's kit."""
    least, tenth = game.legend.lengths or (0, 0)  # a model file of an early version has none
    return GameKit(
        rules=game,
        player=Player(partial(replay.replay, game), partial(replay.path, game)),
        solve=partial(search.solve, game),
        labour=_moves_by_sides,
        tenths=game.legend.tenths,
        length=_moves_by_width if game.legend.order == "columns" else _moves_by_sides,
        shortest=(least, tenth),
        check=partial(_check, game),
        tell=partial(_tell, game),
        arrange=lambda _wishes, _number, rows, fixed: repair.arrange(game, rows, fixed),
        mend=partial(repair.mend, game),
        mend_lengthens=True,  # it moves the goal
    )


def _moves_by_sides(rows: Sequence[str], moves: str) -> int:
    """Moves in hundredths of width + height."""
    return 100 * len(moves) // (len(rows) + len(rows[0]))


def _moves_by_width(rows: Sequence[str], moves: str) -> int:
    """Moves in hundredths of the width."""
    return 100 * len(moves) // len(rows[0])


def _tell(game: CustomGame, wishes: Wishes, number: int, given: NDArray[np.int64]) -> Mapping[str, int]:
    """One start, and as many goals as each training level has, if all have as many."""
    goals = {
        name: max(given_count(wishes, given, chars), game.legend.goals)
        for name, chars in wishes.counted.items()
        if game.legend.goals and chars == goals_of(game)
    }
    return goals | one_each(wishes, given, starts_of(game)) | requested(wishes, number)


def _check(game: CustomGame, wishes: Wishes, rows: list[str]) -> None:
    """Refuse counts without a start or a goal, and fixed tiles that part the start from every place for a goal."""
    for name, chars in wishes.counted.items():
        least, most = wishes.ranges.get(name, (1, 1))
        if chars == starts_of(game) and not least <= 1 <= most:
            raise invalid("counts", f"{name}: {game.name} has one start")
        if chars == goals_of(game) and most == 0:
            raise invalid("counts", f"{name}: {game.name} has at least one goal")
    if find(rows, starts_of(game)):
        outcome = search.solve(with_free_tiles(game), rows, game.budget)
        if outcome.status == "unsolvable":
            raise invalid("fixed", f"what is fixed can't be completed, whatever is free: {outcome.why}")
