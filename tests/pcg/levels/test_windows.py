"""Platformer levels cut to windows: each is a level of 16 rows that can be completed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from pcg.levels.corpus.data import read_levels
from pcg.levels.corpus.windows import ROWS, windows, with_goal, write_windows
from runtime.content.levels.platformer.replay import replay
from runtime.content.levels.platformer.solver import solve

LEGEND = {"#": {"meaning": "ground", "solid": True}}


def hill(width: int = 150, height: int = 50) -> list[str]:
    """A long climb of one tile in four columns, with sky above and rock below it."""
    columns = []
    for x in range(width):
        ground = height - 4 - x // 4
        foot = "S" if x == 1 else "G" if x == width - 2 else "o" if x % 9 == 4 else "."
        columns.append("." * (ground - 1) + foot + "#" * (height - ground))
    return ["".join(row) for row in zip(*columns, strict=True)]


def test_windows_are_levels_that_can_be_completed() -> None:
    cut = windows(hill())
    assert len(cut) > 1
    for rows in cut:
        assert len(rows) == ROWS
        text = "".join(rows)
        assert (text.count("S"), text.count("G")) == (1, 1)
        assert replay(rows, solve(rows).moves)
        start, goal = (next(row.index(char) for row in rows if char in row) for char in "SG")
        assert start < goal
    passed = {column for rows in cut for column in range(len(rows[0]))}
    assert sum(len(rows[0]) for rows in cut) > 120  # nearly all of the way
    assert max(passed) < 100  # for a window holds no more of the climb


def test_a_way_to_the_left_is_mirrored() -> None:
    (rows,) = windows(["." * 40, "G" + "." * 12 + "\\\\" + "." * 24 + "S", "#" * 40])
    walked = rows[-2]
    assert walked.index("S") < walked.index("//") < walked.index("G")
    assert "\\" not in walked


def test_low_levels_get_sky_and_the_first_row_goes_on() -> None:
    level = ["#" * 30 + "." * 30, "." * 60, "S" + "." * 58 + "G", "#" * 60]
    (rows,) = windows(level)
    assert len(rows) == ROWS
    assert {row[5] for row in rows[: ROWS - 3]} == {"#"}
    assert {row[50] for row in rows[: ROWS - 2]} == {"."}


def test_a_room_without_goal_is_walked_to_its_farther_side() -> None:
    room = ["#" * 40, "#" + "." * 38 + "#", "#.S" + "." * 36 + "#", "#" * 40]
    (rows,) = windows(room)
    assert rows[-2].index("S") < 5
    assert rows[-2].index("G") > 35


def test_a_goal_behind_a_wall_is_replaced() -> None:
    assert with_goal(["S....#..G", "#########"]) == ["S...G#...", "#########"]
    assert windows(["#S#.G", "#####"]) == []


def test_the_cut_corpus(tmp_path: Path) -> None:
    clear, unclear = "GPL 2+ / CC-by-sa 3.0", ""
    for corpus, levels in {
        "supertux": [("hill", "a", clear), ("no licence", "b", unclear)],
        "supertux-rooms": [("inside the hill", "a", clear)],
    }.items():
        folder = tmp_path / "data" / corpus
        folder.mkdir(parents=True)
        about = {"author": "Ann", "rows": hill(60)}
        entries = [about | {"name": n, "group": g, "license": licence} for n, g, licence in levels]
        (folder / "levels.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, entries)).encode()))
        (folder / "legend.json").write_text(json.dumps(LEGEND))
    count = write_windows(tmp_path / "data", tmp_path / "cut")
    cut = list(read_levels(tmp_path / "cut", "supertux", ""))
    assert len(cut) == count > 0
    assert {level.name.split("+")[0] for level in cut} == {"hill", "inside the hill"}
    assert {(level.licence, level.author) for level in cut} == {(clear, "Ann")}
    assert len({level.held_out for level in cut}) == 1  # one group, one side
    assert json.loads((tmp_path / "cut" / "supertux" / "legend.json").read_text()) == LEGEND
    again = write_windows(tmp_path / "data", tmp_path / "cut")
    assert again == count
