"""A custom game: its legend, its moves against a search of every position, proofs, start and goal by rule."""

from __future__ import annotations

import copy
import pickle
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.content.levels.custom.game import CustomGame, counted, with_free_tiles
from runtime.content.levels.custom.repair import arrange, mend
from runtime.content.levels.custom.replay import path, replay
from runtime.content.levels.custom.search import places, solve
from runtime.content.levels.games import custom_game
from runtime.content.levels.rules import FREE, IllegalMove, Outcome, find, put

LEGEND: dict[str, Any] = {
    "movement": "walk",
    "jump": 2,
    "tiles": {
        ".": {"name": "air"},
        "#": {"name": "rock", "solid": True},
        "-": {"name": "ledge", "oneway": True, "solid": True},
        "H": {"name": "vine", "climbable": True},
        "^": {"name": "thorns", "hazard": True, "count": "dangers"},
        "b": {"name": "bat", "hazard": True, "enemy": True, "count": "dangers"},
        "S": {"name": "start", "start": True},
        "G": {"name": "goal", "goal": True},
    },
}
WALK = custom_game(LEGEND)
MAZE = custom_game(LEGEND | {"movement": "four-way", "name": "maze"})
TILES = "...##-H^"


@st.composite
def levels(draw: st.DrawFn) -> list[str]:
    width, height = draw(st.integers(2, 6)), draw(st.integers(2, 5))
    cells = draw(st.lists(st.sampled_from(TILES), min_size=width * height, max_size=width * height))
    start, goal = draw(st.permutations(range(width * height)))[:2]
    cells[start], cells[goal] = "S", "G"
    return ["".join(cells[y * width : (y + 1) * width]) for y in range(height)]


def shortest(game: CustomGame, rows: list[str]) -> int | None:
    """The fewest moves to the goal, by playing all moves from all positions that playing tells apart; None for none."""
    seen: set[tuple[object, ...]] = set()
    queue = deque([""])
    while queue:
        moves = queue.popleft()
        for letter in game.moves:
            try:
                done = replay(game, rows, moves + letter)
            except IllegalMove:
                continue
            if done:
                return len(moves) + 1
            jumps = (moves + letter)[-game.legend.jump :]  # what is left of a jump follows from the last moves
            state = (*path(game, rows, moves + letter)[-2:], jumps)
            if state not in seen:
                seen.add(state)
                queue.append(moves + letter)
    return None


@settings(max_examples=60, deadline=None)
@given(levels(), st.sampled_from([WALK, MAZE]))
def test_solutions_are_the_shortest_and_proofs_hold(rows: list[str], game: CustomGame) -> None:
    outcome = solve(game, rows, game.budget)
    fewest = shortest(game, rows)
    assert (outcome.status == "solved") == (fewest is not None)
    assert outcome.status != "unknown"
    if fewest is not None:
        assert len(outcome.moves) == fewest
        assert replay(game, rows, outcome.moves)
        assert not replay(game, rows, outcome.moves[:-1])


@pytest.mark.parametrize(
    ("rows", "moves"),
    [
        (["....", "S..G", "####"], "rrr"),
        (["....", "S#.G", "####"], "Rrr"),  # over a block, and down again
        (["S...G", "#...#"], None),  # a jump would rise beyond the level's top, a fall is out of it
        (["H..G", "H###", "S...", "####"], "JRrr"),
        (["S..", "-..", "..G", "###"], "r.r"),
        (["G..", "...", "-..", "S..", "###"], "JJJ"),  # through a ledge, and from it on
    ],
)
def test_walks(rows: list[str], moves: str | None) -> None:
    assert solve(WALK, rows, 1000).moves == (moves or "")


def test_illegal_moves_are_told() -> None:
    rows = ["...G", "S^..", "####"]
    for moves, words in (
        ("r", "thorns is in the way at row 1, column 1"),
        ("l", "the level ends at row 1, column -1"),
        ("JJ", "the level ends at row -1, column 0"),
        ("R.", "thorns is in the way"),
        ("d", "nothing to climb"),
        ("x", "there are only"),
    ):
        with pytest.raises(IllegalMove, match=words):
            replay(WALK, rows, moves)
    with pytest.raises(IllegalMove, match="nothing to jump from"):
        replay(WALK, ["....", "....", "S..G", "...."], "J")


def test_a_budget_that_runs_out_says_so() -> None:
    rows = ["S" + "." * 30 + "G", "#" * 32]
    assert solve(WALK, rows, 10).status == "unknown"
    assert solve(MAZE, ["S#G"], 10) == Outcome("unsolvable", "", 1, "none of the 1 places to get to is a goal")


@settings(max_examples=60)
@given(levels(), st.sets(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=8), st.sampled_from([WALK, MAZE]))
def test_levels_are_arranged_around_what_is_given(
    rows: list[str], some: set[tuple[int, int]], game: CustomGame
) -> None:
    kept = {(y, x) for y, x in some if y < len(rows) and x < len(rows[0])}
    bare = put(rows, dict.fromkeys([c for c in find(rows, "SG") if c not in kept], "."))
    try:
        made = arrange(game, bare, kept)
    except ValueError:
        return
    assert len(find(made, "S")) == 1
    assert find(made, "G")
    mended = mend(game, made, kept, lambda tried: solve(game, tried, 1000))
    for after in (made, *([] if mended is None else [mended[0]])):
        assert all(after[y][x] == bare[y][x] for y, x in kept)
    if mended is not None:
        assert replay(game, mended[0], mended[1].moves)
        assert len(mended[1].moves) >= max(len(rows), len(rows[0]))


@settings(max_examples=60)
@given(levels(), st.sets(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=8), st.sampled_from([WALK, MAZE]))
def test_what_can_be_completed_can_be_with_more_free(
    rows: list[str], some: set[tuple[int, int]], game: CustomGame
) -> None:
    free = {(y, x) for y, x in some if y < len(rows) and x < len(rows[0]) and rows[y][x] != "S"}
    if solve(game, rows, 1000).status == "solved":
        fixed = put(rows, dict.fromkeys(free, FREE))
        assert solve(with_free_tiles(game), fixed, 1000).status == "solved"


def test_places_are_those_to_rest_in() -> None:
    assert places(WALK, ["S...", "##..", "####"]) == {(0, 0): 0, (0, 1): 1, (1, 2): 3, (1, 3): 3}


def test_a_legend_makes_the_same_game_elsewhere() -> None:
    again = pickle.loads(pickle.dumps(WALK))
    assert again == WALK
    assert counted(WALK) == {"dangers": "^b", "starts": "S", "goals": "G"}
    assert MAZE.name == "maze"
    assert set(MAZE.moves) == set("udlr")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"movement": "swim"}, "movement"),
        ({"jump": 99}, "jump"),
        ({"colour": 1}, "colour"),
        ({"name": "sokoban"}, "name 'sokoban' must be"),
        ({"name": "My Game"}, "name 'My Game' must be"),
        ({"tiles": {"ab": {"name": "two"}}}, "tile 'ab' must be one character"),
        ({"tiles": {"_": {"name": "free"}}}, "tile '_' must be one character"),
        ({"tiles": {"x": {"name": "x", "solud": True}}}, "solud"),
        ({"tiles": {"x": {"solid": True}}}, "name"),
        ({"tiles": {"x": {"name": "x", "start": True}}}, "exactly one tile must be a start"),
        ({"tiles": {"S": {"name": "x", "start": True, "solid": True}}}, "can't be solid"),
        ({"tiles": {".": {"name": "air", "hazard": True}}}, "nothing but a name"),
    ],
)
def test_what_is_wrong_with_a_legend_is_told(change: dict[str, Any], words: str) -> None:
    legend = copy.deepcopy(LEGEND)
    legend["tiles"] |= change.pop("tiles", {}) if "tiles" in change else {}
    with pytest.raises(ValueError, match="legend: ") as caught:
        custom_game(legend | change)
    assert words in str(caught.value)
