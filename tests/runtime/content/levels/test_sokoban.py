"""Solving Sokoban, against a plain search of all positions."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from runtime.content.levels.sokoban import search as sokoban_search
from runtime.content.levels.sokoban.replay import replay
from runtime.content.levels.sokoban.solver import solve

MICRO = ("####  ", "# .#  ", "#  ###", "#*@  #", "#  $ #", "#  ###", "####  ")
CORNER = ("#####", "#$  #", "# @.#", "#####")
PAIR_AGAINST_THE_WALL = ("######", "# $$ #", "#  @ #", "# .. #", "######")  # both boxes are on a wall, no target is
WALLED_OFF = ("#######", "#@# $.#", "#######")


def fewest_pushes(rows: list[str]) -> int | None:
    """By looking at every position, one step of the player at a time; None where there is no solution."""
    tiles = {(y, x): c for y, row in enumerate(rows) for x, c in enumerate(row) if c != "#"}
    targets = {at for at, c in tiles.items() if c in ".*+"}
    player = next(at for at, c in tiles.items() if c in "@+")
    start = player, frozenset(at for at, c in tiles.items() if c in "$*")
    pushes = {start: 0}
    queue = deque([start])
    while queue:
        (y, x), boxes = state = queue.popleft()
        if targets <= boxes:
            return pushes[state]
        for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            ahead, behind = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
            if ahead not in tiles or (ahead in boxes and (behind not in tiles or behind in boxes)):
                continue
            moved = boxes - {ahead} | {behind} if ahead in boxes else boxes
            cost = pushes[state] + (moved != boxes)
            if cost < pushes.get((ahead, moved), 10**9):
                pushes[ahead, moved] = cost
                # A walk costs nothing: what it reaches comes before all that a push reaches.
                (queue.append if moved != boxes else queue.appendleft)((ahead, moved))
    return None


@st.composite
def levels(draw: st.DrawFn) -> list[str]:
    """A walled level of 4 to 5 tiles a side, with any number of boxes and at least one target."""
    width, height = draw(st.integers(4, 5)), draw(st.integers(3, 4))
    inside = draw(st.lists(st.sampled_from("##    $$.*"), min_size=width * height, max_size=width * height))
    at = draw(st.integers(0, width * height - 1))
    inside[at] = "+" if inside[at] in ".*" else "@"
    assume("$" in inside and {".", "*", "+"} & set(inside) and sum(c in "$*" for c in inside) <= 4)
    rows = ["".join(inside[y * width : (y + 1) * width]) for y in range(height)]
    return ["#" * (width + 2), *(f"#{row}#" for row in rows), "#" * (width + 2)]


@given(levels())
def test_it_finds_the_fewest_pushes_or_that_there_are_none(rows: list[str]) -> None:
    outcome = solve(rows)
    fewest = fewest_pushes(rows)
    if fewest is None:
        assert outcome.status == "unsolvable"
        assert outcome.moves == ""
    else:
        assert outcome.status == "solved"
        assert replay(rows, outcome.moves)
        assert sum(move.isupper() for move in outcome.moves) == fewest
    assert outcome.why


@given(st.integers(1, 5), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_the_cheapest_assignment_is_scipys(targets: int, spare: int, seed: int) -> None:
    distances = np.random.default_rng(seed).integers(0, 9, (targets, 12), dtype=np.int32)
    boxes = np.random.default_rng(seed + 1).permutation(12)[: targets + spare].astype(np.int32)
    cost = distances[:, boxes]
    assert sokoban_search.cheapest_assignment(distances, boxes) == cost[linear_sum_assignment(cost)].sum()


def test_a_solved_level_needs_no_moves() -> None:
    assert solve(("#@*#",)).moves == ""


def test_a_known_level() -> None:
    outcome = solve(MICRO)
    assert outcome.status == "solved"
    assert replay(MICRO, outcome.moves)
    assert sum(move.isupper() for move in outcome.moves) == fewest_pushes(list(MICRO))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (CORNER, "even alone"),
        (PAIR_AGAINST_THE_WALL, "even alone"),
        (("#####", "#@$.#", "#  .#", "#####"), "2 targets and only 1 boxes"),
        (WALLED_OFF, "none of the 1 positions"),
    ],
)
def test_why_there_is_no_solution(rows: tuple[str, ...], words: str) -> None:
    outcome = solve(rows)
    assert outcome.status == "unsolvable"
    assert words in outcome.why


def test_a_budget_that_runs_out_says_so() -> None:
    need = solve(MICRO).nodes
    for budget in range(1, need):
        outcome = solve(MICRO, budget)
        assert (outcome.status, outcome.nodes, outcome.moves) == ("unknown", budget, "")
    assert solve(MICRO, need).status == "solved"


def test_nothing_else_changes_the_answer() -> None:
    assert len({solve(MICRO, budget).moves for budget in (200, 5000, 1_000_000)}) == 1


def test_frozen_boxes() -> None:
    """Two by two against nothing is held; two in a row in the open are not."""
    rows = ("      ", " $$ $ ", " $$ $ ", "      ")
    places = [(y, x) for y, row in enumerate(rows) for x, _ in enumerate(row)]
    cell = {place: i for i, place in enumerate(places)}
    ways = ((-1, 0), (1, 0), (0, -1), (0, 1))
    neighbours = np.array([[cell.get((y + dy, x + dx), -1) for dy, dx in ways] for y, x in places], np.int32)
    boxes = np.array([cell[y, x] for y, x in places if rows[y][x] == "$"], np.int32)
    box_at = np.full(len(places), -1, np.int32)
    box_at[boxes] = np.arange(len(boxes))
    held = sokoban_search.frozen(neighbours, np.zeros(len(places), np.bool_), boxes, box_at)
    assert held.tolist() == [True, True, False, True, True, False]


def test_levels_too_large_are_refused() -> None:
    with pytest.raises(ValueError, match="up to 2500 tiles"):
        solve(["@$." + " " * 198] * 1 + [" " * 201] * 60)
    with pytest.raises(ValueError, match="up to 50 are not"):
        solve(["@" + "$" * 51 + "."])
