"""Repairs training levels that can't be completed, or leaves them out.

A model that is trained on levels that can't be completed generates such levels. Vaults were drawn as parts of a larger
map: in four of ten, some room is entered from outside, by a secret passage or diagonally. Half of the levels of the
Lode Runner kind need a guard to step on, or digs that the solver doesn't find. Both are repaired as generated levels
are, if a few changes suffice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pcg.levels.corpus.games import DUNGEON, RUNNER, LevelGame
from runtime.content.levels.dungeon import repair as dungeon_repair
from runtime.content.levels.dungeon import solver as dungeon
from runtime.content.levels.dungeon.places import place_stairs
from runtime.content.levels.rules import put
from runtime.content.levels.runner import repair as runner_repair
from runtime.content.levels.runner import solver as runner

MOST_CHANGED = 12  # tiles; a level that needs more is left out
BUDGET = 100_000  # nodes for an attempt at a repair


def learnable(game: LevelGame, rows: Sequence[str]) -> list[str] | None:
    """The level to train on: as it is, or repaired; None if it is left out."""
    change = REPAIRED.get(game.name)
    return list(rows) if change is None else change(rows)


def joined(rows: Sequence[str]) -> list[str] | None:
    """A dungeon whose rooms can all be reached; its stairs stay as they are.

    None if it has no floor, if a few changes can't join its rooms, or if it is larger than any generated level, since a
    window of it would have closed rooms.
    """
    (_, width), (_, height) = DUNGEON.sides
    if len(rows[0]) > width or len(rows) > height:
        return None
    try:
        placed = place_stairs(rows)
    except ValueError:  # no floor for the stairs
        return None
    if dungeon.solve(placed).status == "solved" and not dungeon.unreached(placed):
        return list(rows)
    mended = dungeon_repair.mend(placed, frozenset(), dungeon.solve)
    return None if mended is None else _few_changes(rows, placed, mended[0])


def completed(rows: Sequence[str]) -> list[str] | None:
    """A level of the Lode Runner kind that the solver completes; None if it needs more than a few changes."""
    if runner.solve(rows).status == "solved":
        return list(rows)
    mended = runner_repair.mend(rows, frozenset(), partial(runner.solve, budget=BUDGET))
    return None if mended is None else _few_changes(rows, rows, mended[0])


def _few_changes(rows: Sequence[str], before: Sequence[str], after: Sequence[str]) -> list[str] | None:
    """`rows` with the changes of a repair from `before` to `after`; None if they are too many."""
    cells = [(y, x) for y in range(len(rows)) for x in range(len(rows[0]))]
    changed = {(y, x): after[y][x] for y, x in cells if after[y][x] != before[y][x]}
    return put(rows, changed) if len(changed) <= MOST_CHANGED else None


REPAIRED: Mapping[str, Callable[[Sequence[str]], list[str] | None]] = {DUNGEON.name: joined, RUNNER.name: completed}
