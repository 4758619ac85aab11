"""The games' tables, and playing moves by the rules."""

from __future__ import annotations

import pytest

from runtime.content.levels.dungeon import replay as dungeon_replay
from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.games import GAMES, find_game
from runtime.content.levels.rules import IllegalMove, check_rows
from runtime.content.levels.sokoban import replay as sokoban_replay
from runtime.content.levels.sokoban.game import SOKOBAN

PUSH_ONE = ("######", "#@ $.#", "######")
KEY = ("#######", "#<.D.>#", "#.k####", "#######")


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_tables_are_sound(game) -> None:
    assert all(len(c) == 1 and c == tile.char for c, tile in game.tiles.items())
    assert len({tile.name for tile in game.tiles.values()}) == len(game.tiles)
    assert not game.tiles[game.empty].solid
    assert any(tile.start for tile in game.tiles.values())
    assert any(tile.goal for tile in game.tiles.values()) or game is GAMES["runner"]  # there it is the top row
    assert all(len(move) == 1 for move in game.moves)


def test_an_unknown_game_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown game 'sokobam'; did you mean 'sokoban'"):
        find_game("sokobam")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "at least one row"),
        ([""], "at least one row"),
        (["#@.", "##"], "row 1 has 2 tiles, row 0 has 3"),
        (["#@.", "#!#"], "row 1, column 1: '!' is no tile of sokoban"),
        (["#..", "###"], r"one start \('@' or '\+'\); this level has 0"),
        (["@.+", "###"], "this level has 2"),
        (["@  ", "###"], "no goal"),
        (["@." + " " * 5000], "a side has up to 4096"),
    ],
)
def test_rows_that_are_no_level(rows: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_rows(SOKOBAN, rows)


def test_sokoban_moves() -> None:
    assert sokoban_replay.replay(PUSH_ONE, "rR")
    assert not sokoban_replay.replay(PUSH_ONE, "r")
    assert not sokoban_replay.replay(PUSH_ONE, "")
    assert sokoban_replay.replay(("#+*", "###"), "") is False  # two targets, one box
    assert sokoban_replay.replay(("#@*", "###"), "")


@pytest.mark.parametrize(
    ("moves", "words"),
    [
        ("R", "no box to push at row 1, column 2"),
        ("rr", "move 1, 'r': a box is in the way"),
        ("u", "a wall is in the way at row 0"),
        ("rRR", "move 2, 'R': the box at row 1, column 4 is blocked"),
        ("x", "there are only"),
    ],
)
def test_sokoban_refuses(moves: str, words: str) -> None:
    with pytest.raises(IllegalMove, match=words):
        sokoban_replay.replay(PUSH_ONE, moves)


def test_a_box_does_not_leave_the_level_nor_move_another() -> None:
    with pytest.raises(IllegalMove, match="blocked"):
        sokoban_replay.replay(("@$.",), "RR")
    with pytest.raises(IllegalMove, match="blocked"):
        sokoban_replay.replay(("@$$.",), "R")


def test_dungeon_moves() -> None:
    check_rows(DUNGEON, KEY)
    assert dungeon_replay.replay(KEY, "drurrr")
    assert not dungeon_replay.replay(KEY, "dru")
    with pytest.raises(IllegalMove, match="move 1, 'r': locked door is in the way at row 1, column 3"):
        dungeon_replay.replay(KEY, "rr")


@pytest.mark.parametrize(("moves", "words"), [("l", "out of the level"), ("u", "lava"), ("r", "wall"), ("R", "only")])
def test_dungeon_refuses(moves: str, words: str) -> None:
    with pytest.raises(IllegalMove, match=words):
        dungeon_replay.replay(("L..", "<#>", "..."), moves)
    assert dungeon_replay.replay(("L..", "<#>", "..."), "drru")


def test_paths_begin_with_the_start_and_have_a_place_a_move() -> None:
    assert sokoban_replay.path(PUSH_ONE, "rR") == [(24, 24), (40, 24), (56, 24)]
    assert dungeon_replay.path(KEY, "drurrr")[:3] == [(24, 24), (24, 40), (40, 40)]
    with pytest.raises(IllegalMove):
        sokoban_replay.path(PUSH_ONE, "l")
