"""The platformer's test vectors are what the rules give today, and show every rule, tile and end of a game."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from typing import Any

import pytest
from platformer_vectors import FILE, GAMES, vectors

from runtime.content.levels.platformer import motion
from runtime.content.levels.platformer.game import PLATFORMER
from runtime.content.levels.platformer.physics import DIRECTIONS, HEIGHT, HELD
from runtime.content.levels.platformer.step import CAUGHT, COMPLETE, DEATHS, FELL, HURT, PLAYING
from runtime.content.levels.rules import TILE, check_rows

CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in json.loads(FILE.read_text())["cases"]}
LEFT, TOP = TILE * motion.MARGIN, TILE * motion.ABOVE  # of the level, in the search's coordinates


def test_the_file_is_what_the_rules_give() -> None:
    assert FILE.read_text() == vectors()


def test_the_reference_needs_no_library() -> None:
    found = "import sys, runtime.content.levels.platformer.step; print({m.partition('.')[0] for m in sys.modules})"
    modules = subprocess.run([sys.executable, "-S", "-c", found], check=True, capture_output=True, text=True).stdout
    assert "runtime" in modules
    assert not {"numpy", "numba", "torch", "msgspec"} & set(ast.literal_eval(modules))


def test_all_tiles_letters_and_outcomes_are_there() -> None:
    assert set("".join("".join(case["rows"]) for case in CASES.values())) == set(PLATFORMER.tiles)
    assert set("".join(case["moves"] for case in CASES.values())) == set(DIRECTIONS)
    assert {tick["outcome"] for case in CASES.values() for tick in case["ticks"]} == {PLAYING, COMPLETE, *DEATHS}
    for case in CASES.values():
        check_rows(PLATFORMER, case["rows"])
        assert len(case["moves"]) == len(case["ticks"])
        assert all(tick["outcome"] not in DEATHS for tick in [case["start"], *case["ticks"][:-1]])


@pytest.mark.parametrize("name", CASES)
def test_the_search_plays_them_the_same(name: str) -> None:
    case = CASES[name]
    tiles = motion.compile_tiles(case["rows"])
    enemies = motion.compile_enemies(case["rows"], tiles)
    told = case["start"]
    for number, (letter, after) in enumerate(zip(case["moves"], case["ticks"], strict=True), start=1):
        before = (told["x"] + LEFT, told["y"] + TOP, told["vx"], told["vy"], told["on_ground"])
        x, y, vx, vy, grounded = motion.move(tiles, *before, DIRECTIONS[letter], letter in HELD)
        ways = [motion.enemy_at(enemies, n, number) for n in range(len(enemies))]
        met = [n for n, way in enumerate(ways) if told["enemies"][n] is not None and motion.touches(x, y, *way)]
        stomped = [n for n in met if enemies[n, motion.STOMPABLE] and motion.stomps(told["y"] + TOP, y, ways[n][1])]
        if after["outcome"] not in (FELL, HURT):
            assert (after["outcome"] == CAUGHT) == (stomped != met)
        if stomped and after["outcome"] not in DEATHS:
            vy, grounded = motion.bounce(letter in HELD), False
            assert all(after["enemies"][n] is None for n in stomped)
        if after["outcome"] != CAUGHT:
            assert (x - LEFT, y - TOP, vx, vy, grounded) == tuple(
                after[key] for key in ("x", "y", "vx", "vy", "on_ground")
            )
        assert (after["outcome"] == FELL) == (y - HEIGHT >= TOP + TILE * len(case["rows"]))
        places = [way for way in after["enemies"] if way]
        assert places == [[ways[n][0] - LEFT, ways[n][1] - TOP] for n, way in enumerate(after["enemies"]) if way]
        told = after


@pytest.mark.parametrize(
    ("name", "outcome", "stomped"),
    [
        ("stomp", PLAYING, 1),
        ("stomp with jump held", PLAYING, 1),
        ("stomp a flyer", PLAYING, 1),
        ("no stomp", CAUGHT, 0),
        ("touched from the side", CAUGHT, 0),
        ("touched in the fall", CAUGHT, 0),
        ("touched from below", CAUGHT, 0),
        ("spikes", HURT, 0),
        ("beside spikes", HURT, 0),
        ("lava", HURT, 0),
        ("trap", HURT, 0),
        ("out of the level", FELL, 0),
        ("coins and a goal", COMPLETE, 0),
    ],
)
def test_they_end_as_they_are_meant_to(name: str, outcome: str, stomped: int) -> None:
    last = CASES[name]["ticks"][-1]
    assert last["outcome"] == outcome
    assert last["enemies"].count(None) == stomped
    assert name in {game.name for game in GAMES}


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("slope of one tile")])
def test_no_speed_is_lost_on_the_slope(name: str) -> None:
    speeds = [
        tick["vx"] for letter, tick in zip(CASES[name]["moves"], CASES[name]["ticks"], strict=True) if letter == "r"
    ]
    assert speeds[-8:] == [7] * 8
