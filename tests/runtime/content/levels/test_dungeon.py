"""Walking dungeons, placing their stairs, doors and keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.dungeon.places import place_stairs
from runtime.content.levels.dungeon.replay import replay
from runtime.content.levels.dungeon.solver import reached, solve, unreached
from runtime.content.levels.rules import check_rows

ROUND_THE_MONSTER = ("#######", "#<.M.>#", "#.###.#", "#.....#", "#######")
LOCKED = ("########", "#<.D..>#", "#.######", "#..k####", "########")
TWO_ROOMS = ("#########", "#...#...#", "#...+...#", "#...#...#", "#########", "#.#######", "#########")
HURTS = "M^"


@st.composite
def levels(draw: st.DrawFn, tiles: str = "#..M^+DkL") -> list[str]:
    width, height = draw(st.integers(2, 5)), draw(st.integers(2, 4))
    inside = draw(st.lists(st.sampled_from(tiles), min_size=width * height, max_size=width * height))
    start, goal = draw(st.permutations(range(width * height)))[:2]
    inside[start], inside[goal] = "<", ">"
    return ["".join(inside[y * width : (y + 1) * width]) for y in range(height)]


def cheapest(rows: list[str]) -> tuple[int, int] | None:
    """Hurts and steps of the best walk, by improving every place until nothing changes."""
    places = [(y, x) for y, row in enumerate(rows) for x in range(len(row))]
    start = next(at for at in places if rows[at[0]][at[1]] == "<")
    cost = {(start, False): (0, 0)}
    changed = True
    while changed:
        changed = False
        for ((y, x), key), (hurts, steps) in list(cost.items()):
            for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if other not in places:
                    continue
                char = rows[other[0]][other[1]]
                if char in "#L" or (char == "D" and not key):
                    continue
                state, new = (other, key or char == "k"), (hurts + (char in HURTS), steps + 1)
                if new < cost.get(state, (99, 0)):
                    cost[state] = new
                    changed = True
    return min((c for ((y, x), _), c in cost.items() if rows[y][x] == ">"), default=None)


@given(levels())
def test_the_walk_is_the_best_there_is(rows: list[str]) -> None:
    outcome, best = solve(rows), cheapest(rows)
    if best is None:
        assert (outcome.status, outcome.moves) == ("unsolvable", "")
        return
    assert outcome.status == "solved"
    assert replay(rows, outcome.moves)
    y, x = next((y, row.index("<")) for y, row in enumerate(rows) if "<" in row)
    hurts = 0
    for move in outcome.moves:
        y, x = y + (move == "d") - (move == "u"), x + (move == "r") - (move == "l")
        hurts += rows[y][x] in HURTS
    assert (hurts, len(outcome.moves)) == best


def test_a_monster_is_walked_round() -> None:
    assert solve(ROUND_THE_MONSTER).moves == "ddrrrruu"


def test_a_key_is_fetched() -> None:
    assert solve(LOCKED).moves == "ddrr" + "lluu" + "rrrrr"
    without = [row.replace("k", ".") for row in LOCKED]
    outcome = solve(without)
    assert outcome.status == "unsolvable"
    assert "a key that can be reached would do" in outcome.why


def test_a_budget_that_runs_out_says_so() -> None:
    need = solve(LOCKED).nodes
    assert solve(LOCKED, need).status == "solved"
    for budget in range(1, need):
        assert (solve(LOCKED, budget).status, solve(LOCKED, budget).nodes) == ("unknown", budget)


def test_closed_rooms_are_found() -> None:
    rows = place_stairs(TWO_ROOMS)
    assert unreached(rows) == [[(5, 1)]]
    assert unreached(LOCKED) == []
    assert unreached([row.replace("k", ".") for row in LOCKED]) == [[(1, 3), (1, 4), (1, 5), (1, 6)]]


@given(levels())
def test_what_is_reached_and_what_is_not_is_all(rows: list[str]) -> None:
    start = next((y, row.index("<")) for y, row in enumerate(rows) if "<" in row)
    inside = set(reached(rows, [start]))
    outside = [cell for room in unreached(rows) for cell in room]
    assert len(outside) == len(set(outside))
    assert inside.isdisjoint(outside)
    assert inside | set(outside) == {
        (y, x) for y, row in enumerate(rows) for x, char in enumerate(row) if char not in "#L"
    }


def test_stairs_go_to_the_ends_of_a_long_walk() -> None:
    rows = place_stairs(("#######", "#.....#", "#######"))
    assert rows[1] == "#>...<#"
    assert place_stairs(("###", "#.#", "#.#", "#@#")) == ["###", "#>#", "#.#", "#<#"]
    assert place_stairs(("<#>..",)) == [".#>.<"]  # no way from there; the rest is an area of its own


def test_stairs_that_are_there_stay() -> None:
    assert place_stairs(LOCKED) == list(LOCKED)
    assert place_stairs(("<.#<...>",)) == ["..#<...>"]  # the start that more can be reached from


@given(levels("#....@<>~T"))
def test_placed_stairs_make_a_level(rows: list[str]) -> None:
    bare = [row.replace("<", ".").replace(">", ".") for row in rows]
    try:
        placed = place_stairs(bare)
    except ValueError:
        assert not any(".." in row for row in bare)  # two floor tiles side by side are enough
        return
    check_rows(DUNGEON, placed)
    assert solve(placed).status == "solved"
    assert place_stairs(placed) == placed


def test_levels_without_floor_are_refused() -> None:
    with pytest.raises(ValueError, match="no floor to start on"):
        place_stairs(("###", "#~#"))
    with pytest.raises(ValueError, match="no floor can be reached"):
        place_stairs(("#.#", "#~#"))
