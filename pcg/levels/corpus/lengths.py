"""How long the solutions of training levels are: the figure `shortest` of each GameKit.

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
from runtime.content.levels.games import kit_of
from runtime.content.levels.rules import Game


def lengths(game: Game, levels: Iterable[Sequence[str]], total: int) -> list[int]:
    """The lengths of the solutions of `levels`, of which there are `total`.

    Levels without a solution, and those without room for a start and a goal, are left out.
    """
    kit, found = kit_of(game), []
    with progress(f"solving {game.name}", total) as advance:
        for rows in levels:
            try:
                placed = kit.place_ends(rows)
            except ValueError:  # no floor for them
                continue
            outcome = kit.solve(placed, BUDGETS.get(game.name, BUDGET))
            if outcome.status == "solved":
                found.append(kit.length(placed, outcome.moves))
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
