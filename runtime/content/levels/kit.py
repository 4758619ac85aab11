"""What one game brings along: its rules, solver, player, measures, and what is done to the candidates of its model.

A game's folder has one `KIT` in kit.py, and runtime/content/levels/games.py has one line for it. Everything else takes
a kit and knows no game by name. A kit is light to import: its functions import a compiled solver when they need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.content.levels.difficulty import hundredths
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import Cell, Game, Outcome, Prove

Rows = Sequence[str]
Fixed = Set[Cell]  # the places of fixed tiles, which no repair changes


@dataclass(frozen=True)
class Player:
    """Plays moves by the rules. It shares no code with the solver.

    `replay(rows, moves)`: whether the moves complete the level. `path(rows, moves)`: the player's middle, (x, y) in
    pixels, before the first move and after each. Both raise IllegalMove, and ValueError for rows that are no level.
    """

    replay: Callable[[Rows, str], bool]
    path: Callable[[Rows, str], list[tuple[int, int]]]


def _nothing_closed(_rows: Rows) -> list[list[Cell]]:
    return []


def _as_they_are(rows: Rows) -> list[str]:
    return list(rows)


def _no_difficulty(_wishes: Wishes) -> int:
    return -1


def _no_lack(_wishes: Wishes, _number: int, _rows: Rows) -> str:
    return ""


def _no_harder(
    _wishes: Wishes, rows: list[str], outcome: Outcome, _fixed: Fixed, _prove: Prove
) -> tuple[list[str], Outcome]:
    return rows, outcome


def _finished(_wishes: Wishes, rows: list[str], _moves: str, _fixed: Fixed) -> list[str]:
    return rows


@dataclass(frozen=True)
class GameKit:
    """One game's code.

    Rules and proof:
        rules: tiles and moves.
        player: plays moves.
        solve: (rows, budget) -> Outcome; raises ValueError for rows that are no level, or one that is too large.
        smallest: a small level, solved at warm-up so that the solver is compiled; empty where nothing is compiled.
        place_ends: (rows) -> the level with start and goal, where a rule places them; raises ValueError.
        closed: (rows) -> the rooms that nobody can enter, where every room must be open.

    Measures of a solution:
        labour: (rows, moves) -> how much it demands of the player, in the game's own unit.
        tenths: the labour of the training levels: the least, the first decile, ..., the most.
        length: (rows, moves) -> its length relative to the level's size.
        shortest: the least length of the training levels, and the first decile. (0, 0): not known.
        length_by: counts; a request that names one of them accepts a level as short as the shortest training level.

    What seeds give depends on `tenths` and `shortest`, so they stay as they are once a model of the game is published.

    Candidates of the model:
        check: (wishes, rows with FREE) raises RpcError INVALID_PARAMS where no level can meet the wishes.
        tell: (wishes, number, given tile numbers) -> counts that the model is told; it chooses the others.
        difficulty_told: (wishes) -> the difficulty that the model is told if the request has none; -1: it chooses.
        arrange: (wishes, number, rows, fixed) -> the level with its start, its goal and what else it needs; raises
            ValueError.
        arranged_by_rule: what `arrange` changes is a rule of the game, and does not count as a repair.
        lacks: (wishes, number, rows) -> why a candidate is not good enough, or "".
        mend: (rows, fixed, prove) -> the level after small edits and its solution, or None.
        mend_lengthens: `mend` is also tried where the solution is too short.
        harden: (wishes, rows, outcome, fixed, prove) -> the solved level, as hard as requested if edits can do that.
        finish: (wishes, rows, moves, fixed) -> the solved level with what is placed after the proof.
    """

    rules: Game
    player: Player
    solve: Callable[[Rows, int], Outcome]
    labour: Callable[[Rows, str], int]
    tenths: Sequence[int]
    length: Callable[[Rows, str], int]
    shortest: tuple[int, int]
    check: Callable[[Wishes, list[str]], None]
    tell: Callable[[Wishes, int, NDArray[np.int64]], Mapping[str, int]]
    arrange: Callable[[Wishes, int, Rows, Fixed], list[str]]
    mend: Callable[[Rows, Fixed, Prove], tuple[list[str], Outcome] | None]
    smallest: Rows = ()
    place_ends: Callable[[Rows], list[str]] = _as_they_are
    closed: Callable[[Rows], list[list[Cell]]] = _nothing_closed
    length_by: frozenset[str] = frozenset()
    difficulty_told: Callable[[Wishes], int] = _no_difficulty
    arranged_by_rule: bool = False
    lacks: Callable[[Wishes, int, Rows], str] = _no_lack
    mend_lengthens: bool = False
    harden: Callable[[Wishes, list[str], Outcome, Fixed, Prove], tuple[list[str], Outcome]] = _no_harder
    finish: Callable[[Wishes, list[str], str, Fixed], list[str]] = _finished

    def difficulty(self, rows: Rows, moves: str) -> int:
        """The difficulty of a level with its solution, in hundredths."""
        return hundredths(self.labour(rows, moves), self.tenths)
