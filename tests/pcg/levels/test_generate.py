"""levels.generate, with models of a few steps of training: what it gives is proved, and keeps to what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.content.levels import generate
from runtime.content.levels.candidates import pick
from runtime.content.levels.dungeon import repair as dungeon_repair
from runtime.content.levels.dungeon import solver as dungeon
from runtime.content.levels.games import KITS
from runtime.content.levels.platformer import repair as platformer_repair
from runtime.content.levels.platformer import solver as platformer
from runtime.content.levels.rules import FREE, find
from runtime.content.levels.sokoban import repair as sokoban_repair
from runtime.content.levels.sokoban.solver import solve
from runtime.errors import Code, RpcError
from runtime.local import Local
from runtime.scheduling.dispatcher import Dispatcher
from runtime.scheduling.jobs import Flow
from runtime.scheduling.workers import Workers
from runtime.service import Service

SMALL: dict[str, Any] = {"width": 8, "height": 7, "counts": {"boxes": 2}, "candidates": 200}
FIXED = ["########", "#@__.__#", "#______#", "#__$___#", "#__##__#", "#______#", "########"]


@pytest.fixture(scope="module")
def runtime(level_models: Path) -> Iterator[Local]:
    with Local(level_models, "cpu", 1) as runtime:
        yield runtime


def keeps(rows: list[str], fixed: list[str]) -> bool:
    """Whether every tile that is fixed is there."""
    return all(f in (FREE, c) for row, line in zip(rows, fixed, strict=False) for c, f in zip(row, line, strict=False))


def test_a_level_comes_with_its_proof(runtime: Local) -> None:
    made = runtime.call("levels.generate", seed=1, **SMALL)
    rows = made["rows"]
    assert [len(row) for row in rows] == [8] * 7
    assert KITS["sokoban"].player.replay(rows, made["solution"])
    assert made["counts"] == {"boxes": 2, "targets": 2, "players": 1}
    x, y = made["start"]
    assert rows[y][x] == "@"
    assert all(rows[y][x] == "." for x, y in made["goal"])
    assert made["legend"]["$"] == "box"
    assert 0 <= made["difficulty"] <= 1
    assert made["provenance"]["method"] == "levels.generate"
    again = runtime.call(made["provenance"]["method"], **made["provenance"]["params"])
    assert again == made


def test_the_level_does_not_depend_on_how_many_workers_look(runtime: Local) -> None:
    engine, workers = runtime.service.engine, Workers(2)
    service = Service(runtime.service.registry, engine, Dispatcher(engine, workers=workers))
    impossible = {"width": 4, "height": 3, "fixed": ["####", "#@*#", "####"], "vary": [], "seed": 1}
    try:
        platformer = {"seed": 2, "game": "platformer", "width": 30, "budget": 5_000}
        for request in (SMALL | {"seed": 1}, SMALL | {"seed": 2, "difficulty": 0.3}, platformer):
            assert service.call_blocking("levels.generate", dict(request)) == runtime.call("levels.generate", **request)
        for request in (SMALL | {"seed": 1, "candidates": 6, "difficulty": 1.0}, impossible):
            errors = []
            for call in (service.call_blocking, lambda method, params: runtime.call(method, **params)):
                with pytest.raises(RpcError) as caught:
                    call("levels.generate", dict(request))
                errors.append(caught.value.to_wire())
            assert errors[0] == errors[1]
    finally:
        workers.close()


def test_a_dungeon_has_stairs_and_no_closed_room(runtime: Local) -> None:
    made = runtime.call("levels.generate", seed=2, game="dungeon", width=12, height=9)
    assert KITS["dungeon"].player.replay(made["rows"], made["solution"])
    assert not dungeon.unreached(made["rows"])
    assert len(find(made["rows"], "<")) == 1


def test_a_platformer_can_be_completed_and_gone_on_with(runtime: Local) -> None:
    made = runtime.call("levels.generate", seed=2, game="platformer", width=30, budget=5_000)
    assert KITS["platformer"].player.replay(made["rows"], made["solution"])
    prefix = ["." * 6] * 10 + ["......", ".S....", "######", "######", "######", "######"]
    longer = runtime.call("levels.generate", seed=3, game="platformer", width=30, prefix=prefix, budget=5_000)
    assert [row[:6] for row in longer["rows"]] == prefix
    with pytest.raises(RpcError, match="prefix: it has 15 rows; the level has 15, and this model writes 16"):
        runtime.call("levels.generate", seed=3, game="platformer", prefix=prefix[1:])


def test_the_lode_runner_kind_has_guards_off_the_way(runtime: Local) -> None:
    asked: dict[str, Any] = {"game": "runner", "width": 16, "height": 12, "counts": {"enemies": 2, "gold": [1, 9]}}
    made = runtime.call("levels.generate", seed=2, **asked)
    rows, moves = made["rows"], made["solution"]
    assert KITS["runner"].player.replay(rows, moves)
    assert made["counts"]["enemies"] == 2
    assert made["goal"] == []  # the top row is
    assert not set(find(rows, "E")) & {(y // 16, x // 16) for x, y in KITS["runner"].player.path(rows, moves)}
    fixed = [FREE * 16] * 10 + ["_E" * 8, "b" * 16]
    made = runtime.call("levels.generate", seed=3, **asked | {"counts": {}}, fixed=fixed)
    assert keeps(made["rows"], fixed)


def test_candidates_depend_on_seed_and_number_alone(runtime: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"seed": 3, **SMALL, "difficulty": [0.0, 0.3]}
    made = runtime.call("levels.generate", **asked)
    monkeypatch.setattr(generate, "BATCHES", (1, 3))
    assert runtime.call("levels.generate", **asked) == made


def test_fixed_tiles_stay(runtime: Local) -> None:
    for seed in range(3):
        made = runtime.call("levels.generate", seed=seed, fixed=FIXED, candidates=200)
        assert keeps(made["rows"], FIXED)
        assert KITS["sokoban"].player.replay(made["rows"], made["solution"])


def test_a_prefix_is_gone_on_with(runtime: Local) -> None:
    prefix = ["########", "#@ $ . #"]
    made = runtime.call("levels.generate", seed=4, **SMALL, prefix=prefix)
    assert made["rows"][:2] == prefix


def test_variations_change_a_part_and_differ(runtime: Local) -> None:
    level = ["########", "#@     #", "#  $ . #", "#      #", "#  $ . #", "#      #", "########"]
    made = [runtime.call("levels.generate", seed=s, vary=level, change=0.3, candidates=200)["rows"] for s in range(4)]
    assert len({tuple(rows) for rows in made}) > 1
    for rows in made:
        assert rows != level
        assert sum(a != b for old, new in zip(level, rows, strict=True) for a, b in zip(old, new, strict=True)) <= 24


def test_a_level_may_go_unproved(runtime: Local) -> None:
    made = runtime.call("levels.generate", seed=5, **SMALL, require_solution=False)
    assert (made["proved"], made["solution"], made["difficulty"]) == (False, None, None)


def test_what_failed_is_told(runtime: Local) -> None:
    with pytest.raises(RpcError) as caught:
        runtime.call("levels.generate", seed=6, **SMALL | {"candidates": 5}, difficulty=1.0)
    assert caught.value.code is Code.UNSATISFIED
    assert "none of 5 candidates" in caught.value.message
    assert sum(caught.value.details["failed"].values()) == 5
    assert any(wish.startswith("difficulty") for wish in caught.value.details["failed"])


class Listener:
    """A connection that keeps what it is told."""

    def __init__(self) -> None:
        self.flow, self.told = Flow(), list[tuple[str, dict[str, Any]]]()

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        self.told.append((method, params))


async def test_progress_is_told_where_it_is_asked_for(runtime: Local) -> None:
    asked = {"seed": 7, **SMALL, "difficulty": 1.0, "candidates": 20}
    for stream, expected in ((True, [4, 12, 20]), (False, [])):
        listener = Listener()
        with pytest.raises(RpcError, match="none of 20"):
            await runtime.service.call("levels.generate", {**asked, "stream": stream}, connection=listener)
        assert [params["done"] for _, params in listener.told] == expected
        assert all((method, params["of"]) == ("progress", 20) for method, params in listener.told)


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"game": "sokobam"}, Code.INVALID_PARAMS, "did you mean 'sokoban'"),
        ({"model": "level-runer"}, Code.MODEL_NOT_FOUND, "did you mean 'level-runner'"),
        (
            {"game": "platformer", "fixed": ["#" * 30] * 7 + ["###S##" + "#" * 24] + ["#" * 30] * 7 + ["_" * 30]},
            Code.INVALID_PARAMS,
            "what is fixed can't be completed",
        ),
        ({"model": "level-dungeon"}, Code.INVALID_PARAMS, "not the tiles of sokoban"),
        ({"width": 10**6}, Code.OUT_OF_RANGE, "width 1000000 is out of range; 5 to 10"),
        ({"fixed": ["_" * 10**6]}, Code.OUT_OF_RANGE, "out of range"),
        ({"fixed": ["__?__"] * 5}, Code.INVALID_PARAMS, "row 0, column 2: '?' is no tile of sokoban"),
        ({"fixed": ["__*__"] * 5}, Code.INVALID_PARAMS, "one that this model does not write"),
        ({"fixed": ["_____", "____", *["_____"] * 3]}, Code.INVALID_PARAMS, "row 1 has 4 tiles"),
        ({"fixed": FIXED, "width": 9}, Code.INVALID_PARAMS, "its width is 8; that of the level is 9"),
        ({"fixed": ["@____"] + ["_____"] * 3 + ["____@"]}, Code.INVALID_PARAMS, "one start; row 0, column 0 and row 4"),
        ({"fixed": ["$____"] + ["_____"] * 4}, Code.INVALID_PARAMS, "the box in row 0, column 0 can't be pushed"),
        ({"fixed": ["#.###", "_###_", *["_____"] * 3]}, Code.INVALID_PARAMS, "no box can be pushed to the target"),
        ({"fixed": ["_____"] * 5, "counts": {"boxes": 30}}, Code.INVALID_PARAMS, "30"),
        ({"prefix": ["#####"], "width": 7}, Code.INVALID_PARAMS, "it has 5 columns; the level has 7"),
        ({"prefix": ["######"], "fixed": ["_____@"] + ["______"] * 5}, Code.INVALID_PARAMS, "fixed as another tile"),
        ({"vary": ["__@__"] * 5}, Code.INVALID_PARAMS, "give a whole level"),
        ({"counts": {"boxs": 3}}, Code.INVALID_PARAMS, "did you mean 'boxes'"),
        ({"counts": {"boxes": [4, 2]}}, Code.INVALID_PARAMS, "boxes 4 to 2"),
        ({"counts": {"boxes": 2, "targets": 3}}, Code.INVALID_PARAMS, "as many of each"),
        ({"counts": {"players": 2}}, Code.INVALID_PARAMS, "Sokoban has one"),
        ({"counts": {"boxes": 2}, "fixed": ["_$$$_"] + ["_____"] * 4}, Code.INVALID_PARAMS, "at most 2 boxes"),
        ({"difficulty": 1.5}, Code.OUT_OF_RANGE, "difficulty 1.5"),
        ({"difficulty": float("nan")}, Code.INVALID_PARAMS, "nan is no number"),
        ({"difficulty": [0.8, 0.2]}, Code.INVALID_PARAMS, "give the least first"),
        ({"temperature": 9.0}, Code.OUT_OF_RANGE, "temperature 9 is out of range; 0 to 4"),
        ({"seed": 2**53}, Code.OUT_OF_RANGE, "seed"),
        ({"candidates": 0}, Code.OUT_OF_RANGE, "candidates 0"),
        ({"budget": 0}, Code.OUT_OF_RANGE, "budget 0"),
        (
            {"game": "dungeon", "fixed": ["<#______", "##______", *["________"] * 5, "_______>"]},
            Code.INVALID_PARAMS,
            "shuts the stairs up off",
        ),
        (
            {"game": "dungeon", "fixed": ["<_______", *["________"] * 4, "########", "________", "_______>"]},
            Code.INVALID_PARAMS,
            "row 7, column 7 off from the stairs up",
        ),
        ({"counts": {"boxes": 13}, "width": 5, "height": 5}, Code.INVALID_PARAMS, "boxes 13 to 13 and targets free"),
        ({"game": "platformer", "width": 10**6}, Code.OUT_OF_RANGE, "width 1000000 is out of range; 24 to 400"),
        ({"game": "platformer", "prefix": ["." * 10**6] * 16}, Code.OUT_OF_RANGE, "width 1000000 is out of range"),
        ({"game": "platformer", "prefix": ["......"] * 17}, Code.INVALID_PARAMS, "this model writes 16"),
        ({"game": "platformer", "fixed": ["Z" * 30] * 16}, Code.INVALID_PARAMS, "'Z' is no tile of platformer"),
        (
            {"game": "platformer", "width": 30, "counts": {"enemies": 400, "coins": 400}},
            Code.INVALID_PARAMS,
            "only 480 are free",
        ),
        ({"game": "dungeon", "counts": {"exits": 0}}, Code.INVALID_PARAMS, "a dungeon has a goal"),
        ({"game": "runner", "counts": {"players": 2}}, Code.INVALID_PARAMS, "has one"),
        (
            {"game": "runner", "fixed": ["_" * 16] * 4 + ["B" * 16, "___M" + "_" * 12] + ["_" * 16] * 10},
            Code.INVALID_PARAMS,
            "no way leads from row 5, column 3 to the top row",
        ),
    ],
)
def test_mistakes_are_told(runtime: Local, params: dict[str, Any], code: Code, words: str) -> None:
    with pytest.raises(RpcError) as caught:
        runtime.call("levels.generate", **{"seed": 1} | params)
    assert words in caught.value.message
    assert caught.value.code is code


def test_a_box_in_a_corner_is_moved_unless_it_is_given() -> None:
    rows = ["######", "#$  @#", "#    #", "#  . #", "######"]
    mended = sokoban_repair.mend(rows, frozenset(), solve)
    assert mended is not None
    assert KITS["sokoban"].player.replay(mended[0], mended[1].moves)
    assert sokoban_repair.mend(rows, frozenset({(1, 1)}), solve) is None


def test_walls_of_a_dungeon_are_opened_unless_they_are_given() -> None:
    rows = ["<..#..>", "...#...", "####.##", "...#.#.", "...#.##"]
    mended = dungeon_repair.mend(rows, frozenset(), dungeon.solve)
    assert mended is not None
    assert KITS["dungeon"].player.replay(mended[0], mended[1].moves)
    assert not dungeon.unreached(mended[0])
    given = frozenset((y, x) for y in range(5) for x in range(7) if rows[y][x] == "#")
    assert dungeon_repair.mend(rows, given, dungeon.solve) is None


def test_the_way_of_a_platformer_is_opened_unless_it_is_given() -> None:
    rows = [*[".........#......."] * 5, "S........#......G", "#################"]
    gap = ["." * 32] * 5 + ["S" + "." * 30 + "G", "####" + "." * 24 + "####"]
    for level in (rows, gap):
        assert platformer.solve(level, 5000).status != "solved"
        mended = platformer_repair.mend(level, frozenset(), lambda tried: platformer.solve(tried, 20_000))
        assert mended is not None
        assert KITS["platformer"].player.replay(mended[0], mended[1].moves)
        given = frozenset((y, x) for y in range(len(level)) for x in range(len(level[0])))
        assert platformer_repair.mend(level, given, platformer.solve) is None


def test_a_platformer_gets_its_start_and_goal() -> None:
    arranged = platformer_repair.arrange([".......", ".......", ".S.S...", "#######", "#######"], frozenset({(2, 3)}))
    assert arranged[2] == "...S..G"
    long = ["." * 60, "." * 30 + "S" + "." * 29, "#" * 60]  # what lies behind a start or before a goal is idle
    goal = [long[0], "." * 20 + "G" + "." * 39, long[2]]
    assert platformer_repair.arrange(long, frozenset())[1] == "S" + "." * 58 + "G"
    assert platformer_repair.arrange(goal, frozenset())[1] == "S" + "." * 58 + "G"
    assert platformer_repair.arrange(goal, frozenset(), anywhere=True)[1] == "S" + "." * 19 + "G" + "." * 39
    assert platformer_repair.arrange(goal, frozenset({(1, 20)}))[1] == "S" + "." * 19 + "G" + "." * 39
    with pytest.raises(ValueError, match="no place to stand on"):
        platformer_repair.arrange(["....", "...."], frozenset())


def test_sokoban_is_arranged_around_what_is_given() -> None:
    rows = ["######", "#$$$ #", "#  ..#", "#    #", "######"]
    arranged = sokoban_repair.arrange(rows, frozenset({(1, 3)}), 2)
    assert [len(find(arranged, char)) for char in "@$."] == [1, 2, 2]
    assert arranged[1][3] == "$"
    with pytest.raises(ValueError, match="too many"):
        sokoban_repair.arrange(rows, frozenset({(1, 1), (1, 2), (1, 3)}), 2)


def test_picks_are_spread_and_the_same_each_time() -> None:
    picked = [pick(7, number, "x", 5) for number in range(200)]
    assert np.bincount(picked).min() > 20
    assert picked[0] == pick(7, 0, "x", 5)
