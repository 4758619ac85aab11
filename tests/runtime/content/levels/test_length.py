"""Levels that are worth playing: how long their solutions are, and where starts and goals stand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.content.levels.custom.game import CustomGame
from runtime.content.levels.custom.repair import arrange, mend
from runtime.content.levels.custom.search import solve
from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.games import KITS, custom_game, kit_of
from runtime.content.levels.generate import Missed, examine
from runtime.content.levels.platformer.game import PLATFORMER
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import Game, find
from runtime.content.levels.runner.game import RUNNER
from runtime.content.levels.sokoban.game import SOKOBAN
from runtime.errors import Code, RpcError
from runtime.local import Local

LEGEND: dict[str, Any] = {
    "movement": "walk",
    "jump": 2,
    "order": "columns",
    "tiles": {
        ".": {"name": "air"},
        "#": {"name": "rock", "solid": True},
        "S": {"name": "start", "start": True},
        "G": {"name": "goal", "goal": True},
    },
    "tenths": [0, 20, 30, 40, 50, 60, 70, 80, 90, 100, 200],
}
LEARNED = {"lengths": [20, 60], "start_area": [0, 0, 10, 100], "goal_area": [80, 0, 100, 100]}
OLD, GAME = custom_game(LEGEND), custom_game(LEGEND | LEARNED)
WIDE = 20


def flat(start: int, goal: int | None, width: int = WIDE) -> list[str]:
    """A floor to walk on from a start's column to a goal's."""
    tiles = ["S" if x == start else "G" if x == goal else "." for x in range(width)]
    return ["." * width, "".join(tiles), "#" * width]


def wishes_of(game: Game, rows: list[str], **others: Any) -> Wishes:
    tiles = "".join(game.tiles)
    wishes = Wishes(
        game=game,
        tiles=tiles,
        counted={},
        by_columns=False,
        seed=1,
        fixed=np.full((len(rows), len(rows[0])), -1),
        base=None,
        change=0.3,
        ranges={},
        difficulty=None,
        solved=True,
        temperature=100,
        candidates=1,
        budget=5000,
    )
    return replace(wishes, **others)


def test_every_game_says_how_short_a_level_may_be() -> None:
    assert all(0 < least < tenth for least, tenth in (kit.shortest for kit in KITS.values()))
    assert kit_of(GAME).shortest == (20, 60)
    assert kit_of(OLD).shortest == (0, 0)


@pytest.mark.parametrize(
    ("game", "rows", "moves", "expected"),
    [
        (SOKOBAN, ["#####", "#@$.#", "#.$ #", "#####", "#####"], "rRll", 20),
        (DUNGEON, ["<....", "....>"], "rrrr", 57),
        (PLATFORMER, ["." * 50], "r" * 100, 200),
        (RUNNER, ["." * 10] * 10, "rr..", 20),
        (GAME, flat(0, 10), "r" * 10, 50),
        (custom_game(LEGEND | {"order": "rows"}), flat(0, 10), "r" * 10, 43),
    ],
)
def test_length_is_relative_to_size(game: Game, rows: list[str], moves: str, expected: int) -> None:
    assert kit_of(game).length(rows, moves) == expected


def test_a_goal_beside_the_start_is_moved_to_where_goals_stand() -> None:
    rows = flat(1, 3)
    made = examine(wishes_of(GAME, rows), rows, np.full((3, WIDE), -1), 0)
    assert find(made.rows, "G")[0][1] >= 15
    assert made.outcome is not None
    assert kit_of(GAME).length(made.rows, made.outcome.moves) >= 60
    assert examine(wishes_of(OLD, rows), rows, np.full((3, WIDE), -1), 0).rows == rows  # a model file from before


def test_a_level_without_room_for_a_long_way_is_no_level() -> None:
    rows = ["." * WIDE, "S.G...." + "." * 13, "#" * 7 + "." * 13]  # nothing bears beyond column 7
    with pytest.raises(Missed, match="length"):
        examine(wishes_of(GAME, rows), rows, np.full((3, WIDE), -1), 0)
    easy = wishes_of(GAME, rows, difficulty=(0, 20, 10))  # as short as the shortest that was learned from
    assert examine(easy, rows, np.full((3, WIDE), -1), 0).outcome is not None


def test_who_gives_both_ends_decides_how_far_they_are_apart() -> None:
    rows = flat(1, 3)
    given = np.full((3, WIDE), -1)
    tiles = "".join(GAME.tiles)
    given[1, 1], given[1, 3] = tiles.index("S"), tiles.index("G")
    made = examine(wishes_of(GAME, rows, fixed=given), rows, given, 0)
    assert made.rows == rows


@pytest.mark.parametrize("game", [DUNGEON, SOKOBAN])
def test_short_levels_of_the_other_games_are_missed(game: Game) -> None:
    rows = {
        "dungeon": ["<>......", "........", "........", "........"],
        "sokoban": ["##########", "#@$.     #", *["#        #"] * 8],
    }[game.name]
    ranges = {"boxes": (1, 1)} if game is SOKOBAN else {}
    with pytest.raises(Missed, match="length"):
        examine(
            wishes_of(game, rows, ranges=ranges, counted={"boxes": "$", "targets": "."}),
            rows,
            np.full((len(rows), len(rows[0])), -1),
            0,
        )


def test_ends_placed_by_rule_stand_where_they_were_learned() -> None:
    bare = ["." * WIDE, "." * WIDE, "#" * WIDE]
    arranged = arrange(GAME, bare, frozenset())
    ((_, start),) = find(arranged, "S")
    ((_, goal),) = find(arranged, "G")
    assert start <= 0.1 * (WIDE - 1)
    assert goal >= 0.8 * (WIDE - 1)
    middle = custom_game(LEGEND | LEARNED | {"start_area": [40, 0, 60, 100], "goal_area": [0, 0, 30, 100]})
    arranged = arrange(middle, bare, frozenset())
    assert 7 < find(arranged, "S")[0][1] < 12
    assert find(arranged, "G")[0][1] <= 6
    gap = ["." * WIDE, "S" + "." * (WIDE - 1), "#" * 8 + "." * (WIDE - 8)]  # no goal of the area can be reached
    assert find(arrange(GAME, gap, frozenset()), "G")[0][1] < 10


def test_a_goal_that_can_not_be_reached_is_moved_however_old_the_model_file() -> None:
    rows = ["...........G", "............", "S...........", "############"]
    shut = [row[:-1] + "#" if "G" not in row else row for row in rows]
    for game in (OLD, GAME):
        found = mend(no_jump(game), shut, frozenset(), lambda tried, game=game: solve(no_jump(game), tried, 1000))
        assert (found is None) == (game is OLD)  # which asks for as many moves as the level is wide


def no_jump(game: CustomGame) -> CustomGame:
    """The same game without jumps."""
    from msgspec import to_builtins

    return custom_game(to_builtins(game.legend) | {"jump": 0})


def test_the_likeliest_platformer_is_not_two_moves_long() -> None:
    with Local(device="cpu", threads=1) as runtime, pytest.raises(RpcError) as caught:
        runtime.call("levels.generate", seed=1, game="platformer", temperature=0, candidates=1)
    assert caught.value.code is Code.UNSATISFIED
    assert "length (too short) 1 times" in caught.value.message


def test_the_document_has_the_figures() -> None:
    page = (Path(__file__).parents[4] / "docs" / "levels.md").read_text()
    table = page.partition("**Length.**")[2].partition("A request for a difficulty")[0]
    rows = {
        name: (int(least), int(tenth))
        for name, least, tenth in re.findall(r"\| ([^|]+) \|.*\| (\d+) \| (\d+) \|", table)
    }
    names = {"Sokoban": "sokoban", "platformer": "platformer", "Lode Runner kind": "runner", "dungeon": "dungeon"}
    assert {names[name]: figures for name, figures in rows.items()} == {
        name: kit.shortest for name, kit in KITS.items()
    }
