"""The causes for levels that the solver doesn't complete."""

from __future__ import annotations

import pytest

from pcg.levels.corpus.data import Level
from pcg.levels.corpus.solvable import cause, measure

FLAT = ["........", "........", "S......G", "########"]
BRICKS = ["BBBB....", "...B....", "S..B...G", "########"]
SPIKES = ["#################", "S..^^^^^^^^^^^..G", "#################"]
ENEMY = ["#######", "S..k..G", "#######"]
BOTH = ["##########", "S.^^^^.k.G", "##########"]
HIGH = [".......G", *[".......#"] * 8, "S......#", "########"]
LIFT = [".......G", *[".......#"] * 7, "...m...#", "S......#", "########"]
SHUT = ["...#....", "S..#...G", "########"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (BRICKS, "bricks"),
        (SPIKES, "spikes"),
        (ENEMY, "enemies"),
        (BOTH, "hazards and enemies"),
        (HIGH, "beyond any jump"),
        (LIFT, "moving platforms"),
        (SHUT, "something solid"),
    ],
)
def test_causes(rows: list[str], words: str) -> None:
    assert words in cause("platformer", rows, 20_000)


def test_causes_of_the_runner() -> None:
    pit = ["M.......", "bbbb.bbb", "BBBB.BBB", "BBBB.GBB", "BBBBBBBB"]
    assert "a pit" in cause("runner", pit, 10_000)
    gap = ["M....G.#", "bb..bbbb", "BB..BBBB", "BBBBBBBB"]
    assert "a gap" in cause("runner", gap, 10_000)


def test_levels_are_counted() -> None:
    levels = [Level(str(i), "c", str(i), "MIT", tuple(rows)) for i, rows in enumerate([FLAT, FLAT, HIGH, ENEMY])]
    assert measure("platformer", levels, 20_000) == {
        "levels": 4,
        "solved": 0.5,
        "answers": {"solved": 2, "unsolvable": 1, "unknown": 1},
        "causes": {"a gap or a wall beyond any jump": 1, "enemies": 1},
    }
