"""Lengths of the solutions of training levels: gives the figures of runtime/content/levels/length.py.

python -m pcg.levels.corpus.lengths --data DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pcg.levels.corpus.data import load_corpus
from pcg.levels.corpus.difficulty import BUDGET, BUDGETS
from pcg.levels.corpus.games import GAMES
from pcg.levels.corpus.repaired import learnable
from pcg.progress import progress
from runtime.content.levels.dungeon.places import place_stairs
from runtime.content.levels.length import length
from runtime.content.levels.rules import DUNGEON, Game
from runtime.content.levels.solving import solver_of


def lengths(game: Game, levels: Iterable[Sequence[str]], total: int) -> list[int]:
    """The lengths of the solutions of `levels`, of which there are `total`.

    Levels without a solution, and dungeons without floor for the stairs, are left out.
    """
    found = []
    with progress(f"solving {game.name}", total) as advance:
        for rows in levels:
            try:
                placed = place_stairs(rows) if game is DUNGEON else rows
            except ValueError:  # no floor for the stairs
                continue
            outcome = solver_of(game)(placed, BUDGETS.get(game.name, BUDGET))
            if outcome.status == "solved":
                found.append(length(game, placed, outcome.moves))
            advance(1)
    return found


def least_and_tenth(found: Sequence[int]) -> tuple[int, int]:
    """The smallest length, and the first decile."""
    return min(found), int(np.quantile(found, 0.1))


def main() -> None:
    """Print the figures of every game, or of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--game", choices=GAMES, help="one game alone")
    asked = parser.parse_args()
    for name in [asked.game] if asked.game else GAMES:
        game = GAMES[name]
        levels = load_corpus(asked.data, game).training
        learned = [rows for level in levels if (rows := learnable(game, level.rows)) is not None]
        found = lengths(game.rules, learned, len(learned))
        least, tenth = least_and_tenth(found)
        print(f"{name}: {len(found)} levels, least {least}, first tenth {tenth}, median {int(np.median(found))}")


if __name__ == "__main__":
    main()
