"""Vaults to learn from: every room is joined, and little else is changed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pcg.levels.rooms import MOST_CHANGED, joined
from runtime.content.levels.dungeon import unreached
from runtime.content.levels.dungeon_places import place_stairs
from runtime.content.levels.rules import find

SIDES = ((4, 12), (4, 10))


@settings(max_examples=60)
@given(st.integers(4, 12), st.integers(4, 10), st.integers(0, 2**31))
def test_rooms_are_joined_with_few_changes(width: int, height: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).choice(list("...##T+iM@"), (height, width))
    rows = ["".join(row) for row in drawn]
    made = joined(rows, SIDES)
    if made is None:
        return
    assert not unreached(place_stairs(made))
    assert sum(a != b for old, new in zip(rows, made, strict=True) for a, b in zip(old, new, strict=True)) <= (
        MOST_CHANGED
    )


def test_a_closed_room_gets_a_door_and_stairs_stay() -> None:
    vault = ["########", "#<.#..<#", "#..#..>#", "#..#...#", "########"]
    made = joined(vault, SIDES)
    assert made is not None
    assert find(made, "<>") == find(vault, "<>")
    assert len(find(made, "+")) == 1
    assert joined(made, SIDES) == made


def test_what_is_no_dungeon_of_its_own_is_left_out() -> None:
    assert joined(["####"] * 4, SIDES) is None
    assert joined(["....."] * 11, SIDES) is None
    assert joined([".#####.", ".#TTT#.", ".#TTT#.", ".#TTT#.", ".#####."], SIDES) is None  # five walls between
