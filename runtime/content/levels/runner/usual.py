"""Draws a density, gold and guards for a level of the Lode Runner kind where the request has none.

The seed draws from the quantiles of the training levels, so that generated levels vary as they do. Otherwise the model
generates emptier levels, and the emptiest are the most likely to be completed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.content.levels.candidates import pick
from runtime.content.levels.requests import Wishes
from runtime.content.levels.runner.game import RUNNER

# Deciles, 0 to 100 %, of the 258 training levels, 28x20 tiles each: a row for each fifth of difficulty. The tiles that
# are not air, in a thousand; and the pieces of gold.
DENSITY = (
    (112, 255, 295, 350, 389, 430, 491, 552, 606, 756, 1000),
    (167, 322, 351, 371, 387, 416, 491, 557, 638, 791, 994),
    (250, 366, 420, 454, 486, 513, 544, 586, 666, 846, 1000),
    (289, 408, 473, 500, 560, 592, 642, 676, 766, 819, 1000),
    (314, 421, 505, 542, 581, 610, 630, 654, 706, 792, 958),
)
GOLD = (
    (0, 1, 1, 1, 3, 4, 6, 8, 16, 27, 36),
    (1, 5, 7, 8, 13, 22, 25, 31, 60, 78, 187),
    (1, 6, 10, 12, 14, 19, 24, 32, 37, 49, 136),
    (3, 10, 12, 18, 22, 27, 39, 45, 69, 102, 221),
    (9, 14, 16, 22, 28, 35, 42, 49, 73, 106, 385),
)
GUARDS = (0, 1, 2, 3, 3, 4, 4, 5, 6, 9, 27)  # of all levels; half of a draw follows the difficulty
TILES = 28 * 20
TAIL = 8  # percent at either end that are not drawn: levels of one idea, such as 385 pieces of gold
SLACK = ((4, 100), (2, 200))  # the first quarter, and half, of the candidates: deviation from the density drawn
FEWER = 4  # these candidates have at least three quarters of the gold drawn


@dataclass(frozen=True)
class Usual:
    """What is drawn for a request. `difficulty`: requested or drawn, in hundredths; `density`: tiles that are not air,
    in a thousand; `gold` and `guards`: their number; `most_gold`: the ninth decile of such levels.
    """

    difficulty: int
    density: int
    gold: int
    guards: int
    most_gold: int


def usual_of(wishes: Wishes) -> Usual | None:
    """What is drawn for a request; None where tiles are given, since these show what is wanted."""
    if wishes.base is not None or (wishes.fixed >= 0).any():
        return None
    asked = wishes.difficulty
    hard = pick(wishes.seed, 0, "usual difficulty", 101) if asked is None else asked[2]
    fifth = min(hard // 20, len(DENSITY) - 1)
    part = wishes.fixed.size

    def drawn(stream: str) -> int:
        return TAIL + pick(wishes.seed, 0, stream, 101 - 2 * TAIL)

    return Usual(
        hard,
        quantile(DENSITY[fifth], drawn("usual density")),
        scaled(quantile(GOLD[fifth], drawn("usual gold")), part),
        scaled(quantile(GUARDS, min((drawn("usual guards") + hard) // 2, 90)), part),
        scaled(quantile(GOLD[fifth], 90), part),
    )


def quantile(deciles: Sequence[int], percent: int) -> int:
    """A percentile: linear between deciles, rounded down.

    >>> quantile((0, 10, 20), 5), quantile((0, 10, 20), 20)
    (5, 20)
    """
    tenth, rest = divmod(percent, 10)
    if rest == 0:
        return deciles[tenth]
    return deciles[tenth] + (deciles[tenth + 1] - deciles[tenth]) * rest // 10


def scaled(count: int, tiles: int) -> int:
    """A count of a level of 28x20 tiles, scaled to one of so many tiles and rounded; at least 1 if it was not 0."""
    return max(min(count, 1), (count * tiles + TILES // 2) // TILES)


def lacks(rows: Sequence[str], usual: Usual, wishes: Wishes, number: int) -> str:
    """Which of the draws a candidate does not meet, or "".

    The last candidates need not meet them, since they were not requested; and none needs to where a difficulty is
    requested, which few candidates have, and which depends on density and gold.

    Args:
        rows: the candidate.
        usual: the draws.
        wishes: the request.
        number: of the candidate.
    """
    if wishes.difficulty is not None:
        return ""
    slack = next((slack for part, slack in SLACK if number < wishes.candidates // part), None)
    if slack is None:
        return ""
    tiles = sum(map(len, rows))
    built = 1000 * (tiles - sum(row.count(RUNNER.empty) for row in rows)) // tiles
    if abs(built - usual.density) > slack:
        return f"usual density (too {'low' if built < usual.density else 'high'})"
    gold = sum(row.count("G") for row in rows)
    if "gold" not in wishes.ranges and gold < usual.gold - usual.gold // FEWER:
        return "usual gold (too few)"
    return ""
