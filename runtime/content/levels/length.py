"""How long a level's solution is for its size, and how short those of the levels that people made are.

A level whose goal stands beside its start is solved and worth nothing: a generated level is returned only if its
solution is as long as that of nine in ten training levels (docs/levels.md, Generating).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.content.levels.custom.game import OwnGame
from runtime.content.levels.rules import Game, find

# A game's shortest training level, and the first tenth of them, in the unit of `length`. `python -m
# pcg.levels.corpus.lengths` derives them. What a seed gives depends on these numbers, so they stay once a model of the
# game is out.
SHORTEST: Mapping[str, tuple[int, int]] = {
    "sokoban": (10, 37),
    "dungeon": (1, 37),
    "platformer": (3, 101),
    "runner": (14, 119),
}


def length(game: Game, rows: Sequence[str], moves: str) -> int:
    """A solution's length relative to its level's size.

    Sokoban: moves in hundredths of width + height, for each target. Dungeon: moves in hundredths of width + height.
    Platformer: ticks in hundredths of the width. Lode Runner kind: moves but waits in a thousand tiles. Custom game:
    moves in hundredths of the width if it is written by columns, else of width + height.
    """
    width, height = len(rows[0]), len(rows)
    match game.name:
        case "sokoban":
            return 100 * len(moves) // ((width + height) * max(1, len(find(rows, ".*+"))))
        case "platformer":
            return 100 * len(moves) // width
        case "runner":
            return 1000 * sum(move != "." for move in moves) // (width * height)
    by_columns = isinstance(game, OwnGame) and game.legend.order == "columns"
    return 100 * len(moves) // (width if by_columns else width + height)


def shortest(game: Game, *, easy: bool) -> int:
    """The least length that a level is returned with: what nine in ten training levels reach. `easy`: what all reach.

    0 for a custom game whose model file is too old to say.
    """
    known = game.legend.lengths if isinstance(game, OwnGame) else SHORTEST[game.name]
    return (known[0] if easy else known[1]) if known else 0
