"""Training levels are repaired: all can be completed, with few changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcg.levels.corpus.games import DUNGEON, RUNNER, SOKOBAN, LevelGame
from pcg.levels.corpus.repaired import MOST_CHANGED, learnable
from runtime.content.levels.dungeon.places import place_stairs
from runtime.content.levels.dungeon.solver import unreached
from runtime.content.levels.rules import find
from runtime.content.levels.runner.solver import solve


def differing(old: Sequence[str], new: Sequence[str]) -> int:
    return sum(a != b for before, after in zip(old, new, strict=True) for a, b in zip(before, after, strict=True))


@settings(max_examples=60)
@given(st.integers(4, 12), st.integers(4, 10), st.integers(0, 2**31))
def test_rooms_are_joined_with_few_changes(width: int, height: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).choice(list("...##T+iM@"), (height, width))
    rows = ["".join(row) for row in drawn]
    made = learnable(DUNGEON, rows)
    if made is not None:
        assert not unreached(place_stairs(made))
        assert differing(rows, made) <= MOST_CHANGED


@settings(max_examples=60)
@given(st.integers(4, 12), st.integers(4, 10), st.integers(0, 2**31))
def test_runs_are_completed_with_few_changes(width: int, height: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).choice(list("....bbB##-HGE"), (height, width))
    drawn[height // 2, width // 2] = "M"
    rows = ["".join(row) for row in drawn]
    made = learnable(RUNNER, rows)
    if made is not None:
        assert solve(made).status == "solved"
        assert differing(rows, made) <= MOST_CHANGED


def test_a_closed_room_gets_a_door_and_stairs_stay() -> None:
    vault = ["########", "#<.#..<#", "#..#..>#", "#..#...#", "########"]
    made = learnable(DUNGEON, vault)
    assert made is not None
    assert find(made, "<>") == find(vault, "<>")
    assert len(find(made, "+")) == 1
    assert learnable(DUNGEON, made) == made


@pytest.mark.parametrize(
    ("game", "rows"),
    [
        (DUNGEON, ["####"] * 4),  # no floor
        (DUNGEON, ["....."] * 41),  # a window would be cut of it
        (DUNGEON, [".#####.", ".#TTT#.", ".#TTT#.", ".#TTT#.", ".#####."]),  # five walls between
        (RUNNER, ["BBBB", "BMBG", "BBBB"]),
    ],
)
def test_what_needs_more_is_left_out(game: LevelGame, rows: list[str]) -> None:
    assert learnable(game, rows) is None


def test_other_games_are_learned_as_they_are() -> None:
    rows = ["#####", "#@ $#", "#####"]
    assert learnable(SOKOBAN, rows) == rows
