"""levels.solve, in process."""

from __future__ import annotations

import dataclasses
import random

import pytest

from runtime.content.levels import solving
from runtime.content.levels.games import KITS
from runtime.content.levels.rules import Outcome
from runtime.content.levels.sokoban.game import SOKOBAN
from runtime.errors import Code, RpcError
from runtime.local import Local

BOX = ["######", "#@ $.#", "######"]


@pytest.fixture(scope="module")
def runtime(bundled: Local) -> Local:
    return bundled


def test_a_solution(runtime: Local) -> None:
    assert runtime.call("levels.solve", game="sokoban", rows=BOX) == {
        "game": "sokoban",
        "rows": BOX,
        "status": "solved",
        "solution": "rR",
        "why": "1 pushes, the fewest there are",
        "nodes": 2,
    }


def test_none(runtime: Local) -> None:
    answer = runtime.call("levels.solve", game="sokoban", rows=["#####", "#$@.#", "#####"])
    assert (answer["status"], answer["solution"]) == ("unsolvable", None)
    answer = runtime.call("levels.solve", game="sokoban", rows=BOX, budget=1)
    assert (answer["status"], answer["solution"], answer["nodes"]) == ("unknown", None, 1)


def test_a_dungeon_gets_its_stairs(runtime: Local) -> None:
    answer = runtime.call("levels.solve", game="dungeon", rows=["#####", "@...#", "#####"])
    assert answer["rows"] == ["#####", "<..>#", "#####"]
    assert answer["solution"] == "rrr"
    assert "closed" not in answer["why"]


def test_closed_rooms_of_a_dungeon_are_told(runtime: Local) -> None:
    answer = runtime.call("levels.solve", game="dungeon", rows=["<..>##.#i.", "######.###"])
    assert answer["status"] == "solved"
    assert "2 rooms, 4 tiles, are closed" in answer["why"]


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"rows": BOX}, Code.INVALID_PARAMS, "game"),
        ({"game": "sokobam", "rows": BOX}, Code.INVALID_PARAMS, "did you mean 'sokoban'"),
        ({"game": "sokoban", "rows": "x"}, Code.INVALID_PARAMS, "rows 'x'"),
        ({"game": "sokoban", "rows": []}, Code.INVALID_PARAMS, "at least one row"),
        ({"game": "sokoban", "rows": ["@.x"]}, Code.INVALID_PARAMS, "row 0, column 2: 'x' is no tile of sokoban"),
        ({"game": "sokoban", "rows": ["@" + " " * 10**6]}, Code.INVALID_PARAMS, "1000001x1 tiles is too large"),
        ({"game": "sokoban", "rows": ["@." + " " * 198] + [" " * 200] * 50}, Code.INVALID_PARAMS, "up to 2500 tiles"),
        ({"game": "dungeon", "rows": ["###"]}, Code.INVALID_PARAMS, "no floor to start on"),
        ({"game": "dungeon", "rows": ["<.", "."]}, Code.INVALID_PARAMS, "row 1 has 1 tiles"),
        ({"game": "sokoban", "rows": BOX, "budget": 0}, Code.OUT_OF_RANGE, "budget 0 is out of range"),
        ({"game": "sokoban", "rows": BOX, "budget": 10**9}, Code.OUT_OF_RANGE, "sokoban takes 1 to 2000000 nodes"),
    ],
)
def test_what_can_not_be_solved_is_told(runtime: Local, params: dict, code: Code, words: str) -> None:
    with pytest.raises(RpcError) as caught:
        runtime.call("levels.solve", **params)
    assert caught.value.code is code
    assert words in caught.value.message


def test_a_solver_that_is_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = dataclasses.replace(KITS["sokoban"], solve=lambda *_: Outcome("solved", "r", 1, ""))
    monkeypatch.setitem(KITS, "sokoban", broken)
    with pytest.raises(RuntimeError, match="do not complete"):
        solving.prove(SOKOBAN, BOX, 10)


def test_a_large_dungeon_with_many_entrances_is_answered(runtime: Local) -> None:
    rows = ["".join(random.Random(y).choices(".#@", k=200)) for y in range(200)]
    assert runtime.call("levels.solve", game="dungeon", rows=rows)["status"] == "solved"
