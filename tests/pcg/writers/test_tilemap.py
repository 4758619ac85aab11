"""Levels to files and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pcg.writers.levels.level import Level
from pcg.writers.levels.picture import picture
from pcg.writers.levels.tilemap import DECODERS, ENCODERS, read_level, write_level
from runtime.content.levels.games import GAMES

BOX = Level("sokoban", ("######", "#@ $.#", "######"), "rR", {"model": "a test's"})


@st.composite
def levels(draw: st.DrawFn) -> Level:
    """Any rectangle of any game's tiles, playable or not."""
    game = draw(st.sampled_from(sorted(GAMES)))
    width, height = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    row = st.text(list(GAMES[game].tiles), min_size=width, max_size=width)
    return Level(game, tuple(draw(st.lists(row, min_size=height, max_size=height))))


@pytest.mark.parametrize("suffix", [s for s in ENCODERS if s in DECODERS])
@given(level=levels())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_written_is_read_again(level: Level, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"level{suffix}"
    written = write_level(path, level)
    assert written[0] == path
    assert all(name.exists() for name in written)
    if suffix == ".txt" and set("".join(level.rows)) == {" "}:
        return  # nothing but spaces: no level in a text
    again = read_level(path)
    expected = level.rows
    if suffix == ".txt":  # lines of spaces around the level
        while not expected[0].strip():
            expected = expected[1:]
        while not expected[-1].strip():
            expected = expected[:-1]
    assert (again.game, again.rows) == (level.game, expected)
    assert not list(tmp_path.glob("*.part"))


def test_json_keeps_everything(tmp_path: Path) -> None:
    write_level(tmp_path / "box.json", BOX)
    assert read_level(tmp_path / "box.json") == BOX
    said = json.loads((tmp_path / "box.json").read_text())
    assert said["legend"] == {" ": "floor", "#": "wall", ".": "target", "$": "box", "@": "player"}
    assert (said["start"], said["goals"], said["enemies"]) == ([1, 1], [[4, 1]], [])
    assert (said["width"], said["height"], said["solution"]) == (6, 3, "rR")


def test_text_and_csv_have_a_sidecar(tmp_path: Path) -> None:
    text, beside = write_level(tmp_path / "box.txt", BOX)
    assert text.read_text() == "######\n#@ $.#\n######\n"
    said = json.loads(beside.read_text())
    assert (beside.name, said["solution"], said["provenance"]) == ("box.txt.json", "rR", {"model": "a test's"})
    table, beside = write_level(tmp_path / "box.csv", BOX)
    assert table.read_text().splitlines()[1] == "1,5,0,3,2,1"
    assert json.loads(beside.read_text())["tiles"] == "".join(GAMES["sokoban"].tiles)
    beside.unlink()
    assert read_level(table, "sokoban").rows == BOX.rows


def test_a_text_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "many.sok").write_text("; 12\n\n####\n#@$.#\n####\n\n")
    level = read_level(tmp_path / "many.sok")
    assert (level.game, level.rows) == ("sokoban", ("#### ", "#@$.#", "#### "))


@pytest.mark.parametrize(
    ("name", "content", "game", "words"),
    [
        ("l.csv", "1,2", None, "say which with --game"),
        ("l.csv", "1,99", "sokoban", "row 0, column 1: '99' is not a tile; sokoban has 0 to 6"),
        ("l.csv", "1,x", "sokoban", "'x' is not a tile"),
        ("l.csv", "", "sokoban", "no row of tiles"),
        ("l.json", "[", None, "l.json"),
        ("l.json", "[]", None, 'an object with "rows"'),
        ("l.json", '{"rows": [1]}', None, 'an object with "rows"'),
        ("l.json", '{"rows": ["@"], "game": 3}', None, "game is 3; it must be a str"),
        ("l.json", '{"rows": ["@"], "game": "chess"}', None, "unknown game 'chess'"),
        ("l.json", '{"rows": ["@"], "game": "dungeon"}', "sokoban", "holds a level of dungeon, not of sokoban"),
        ("l.json", '{"rows": []}', "sokoban", "no row of tiles"),
        ("l.json", "[" * 100_000, None, "l.json: the file is nested too deeply"),
        ("l.json", '{"rows": ["@"], "game": ' + "9" * 5000 + "}", None, "l.json: the file is not JSON"),
        ("l.csv", '"' + "1" * 200_000 + '"', "sokoban", "this is not CSV"),
        ("l.csv", "9" * 5000, "sokoban", "is not a tile; sokoban has 0 to 6"),
        ("l.csv", "\u0663", "sokoban", "is not a tile; sokoban has 0 to 6"),
        ("l.tmx", "<?xml version='1.0' encoding='TF-8'?><map/>", "sokoban", "this is not XML: unknown encoding: TF-8"),
        ("l.tmx", '<map width="x" height="1"/>', "sokoban", "the map's width is 'x'; it must be a whole number"),
        ("l.tmx", '<map width="1" height="1"><tileset firstgid=""/></map>', "sokoban", "firstgid is ''; it must be"),
        (
            "l.tmx",
            '<map width="1" height="1"><layer name="g"><data encoding="csv">1,two</data></layer></map>',
            "sokoban",
            "layer 'g': a tile is 'two'; it must be a whole number",
        ),
        (
            "l.tmx",
            '<map width="1" height="1"><layer name="g"><data encoding="csv">-5</data></layer></map>',
            "sokoban",
            "layer 'g', row 0, column 0, uses tile -5; the numbers of tiles are 0 to 4294967295",
        ),
        (
            "l.tmj",
            '{"width": 1, "height": 1, "layers": [{"name": "g", "data": [null, "x"]}]}',
            "sokoban",
            "layer 'g': only CSV is read",
        ),
        (
            "l.tmj",
            '{"width": 1, "height": 1, "layers": [{"name": "g", "data": ["x"]}]}',
            "sokoban",
            "layer 'g', row 0, column 0, a tile is 'x'; it must be a whole number",
        ),
        ("l.tmj", '{"width": 1.5, "height": 1}', "sokoban", "the map's width is 1.5; it must be a whole number"),
        ("l.tmj", '{"width": 1, "height": 1, "layers": 3}', "sokoban", "layers is 3; it must be an array"),
        ("l.tmj", '{"width": 1, "height": 1, "layers": [3]}', "sokoban", "layers, number 0, is 3; it must be an obj"),
        ("l.ldtk", '{"levels": [3]}', "sokoban", "levels, number 0, is 3; it must be an object"),
        (
            "l.ldtk",
            '{"levels": [{"fieldInstances": [{"__identifier": 4}]}]}',
            "sokoban",
            "a field's name is 4; it must",
        ),
        (
            "l.ldtk",
            '{"levels": [{"layerInstances": [{"__identifier": "Ground", "__cWid": 1}]}]}',
            "sokoban",
            "Ground: __cHei is None; it must be a whole number",
        ),
    ],
)
def test_what_is_no_level_is_told(name: str, content: str, game: str | None, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match="(?s)" + words.replace("(", r"\(")):
        read_level(tmp_path / name, game)


def test_an_unknown_format_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"did you mean '\.json'"):
        write_level(tmp_path / "level.jso", BOX)
    with pytest.raises(ValueError, match=r"there are: \.txt"):
        write_level(tmp_path / "level", BOX)
    assert not list(tmp_path.iterdir())


def test_a_picture_shows_the_way(tmp_path: Path) -> None:
    [path] = write_level(tmp_path / "box.png", BOX)
    with Image.open(path) as image:
        shown = np.asarray(image).astype(int)
    assert shown.shape == (3 * 16, 6 * 16, 3)
    without = picture(replace(BOX, solution=None)).astype(int)
    changed = np.argwhere((shown != without).any(axis=2))
    assert changed.min(axis=0).tolist() == [22, 25]  # from the player's middle, 24, 24 ...
    assert changed.max(axis=0).tolist() == [25, 57]  # ... to the middle of the box's first place, 56, 24
    walked, pushed = shown[24, 32], shown[24, 50]
    assert walked.sum() < pushed.sum()
    assert read_level(path) == BOX


def test_a_picture_from_elsewhere_holds_no_level(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "foreign.png")
    with pytest.raises(ValueError, match="carries no level"):
        read_level(tmp_path / "foreign.png")


def test_a_solution_that_breaks_the_rules_is_not_drawn(tmp_path: Path) -> None:
    for suffix in (".png", ".tmx", ".tmj"):
        with pytest.raises(ValueError, match="a wall is in the way"):
            write_level(tmp_path / f"box{suffix}", replace(BOX, solution="u"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", DECODERS)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
def test_damage_is_a_clear_error_or_another_level(suffix: str, data: st.DataObject, tmp_path: Path) -> None:
    path = write_level(tmp_path / f"level{suffix}", BOX)[0]
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 8))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"-1", b"9e9"])
        )
    path.write_bytes(content)
    try:
        level, told = read_level(path), str(path)
    except ValueError as error:
        level, told = BOX, str(error)
    assert str(path) in told
    if suffix in (".tmx", ".tmj", ".ldtk"):  # they say their size
        assert len({len(row) for row in level.rows}) == 1


def branches(value: object) -> list[tuple[Any, Any]]:
    """Every place in a JSON value: the container and the key in it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, child in pairs for place in ((value, key), *branches(child))]


@pytest.mark.parametrize("suffix", [".json", ".tmj", ".ldtk"])
@given(
    choice=st.integers(0, 10**6), other=st.sampled_from([None, True, -1, 1.5, 10**30, "", "x", [], [[]], {}, {"id": 1}])
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_any_value_in_json_may_be_wrong(suffix: str, choice: int, other: object, tmp_path: Path) -> None:
    path = write_level(tmp_path / f"level{suffix}", BOX)[0]
    content = json.loads(path.read_text())
    places = branches(content)
    container, key = places[choice % len(places)]
    container[key] = other
    path.write_text(json.dumps(content))
    tell_or_read(path)


def tell_or_read(path: Path) -> None:
    """A level is read, or what is wrong is told in words, not as Python's own exceptions put it."""
    try:
        read_level(path)
    except ValueError as error:
        told = str(error)
        assert str(path) in told
        for raw in (
            "invalid literal",
            "Error(",
            "object is not",
            "has no attribute",
            "not supported between",
            "convert",
        ):
            assert raw not in told


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("suffix", [".json", ".tmj", ".ldtk"])
@given(choice=st.integers(0, 10**6), other=VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_value_in_json_may_be_anything(suffix: str, choice: int, other: object, tmp_path: Path) -> None:
    path = write_level(tmp_path / f"level{suffix}", BOX)[0]
    content = json.loads(path.read_text())
    places = branches(content)
    container, key = places[choice % len(places)]
    container[key] = other
    path.write_text(json.dumps(content))
    tell_or_read(path)


@given(
    choice=st.integers(0, 10**6),
    other=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
    | st.sampled_from(["-5", "4294967296", "1e999", "nan", "inf", "9" * 5000, "1_0", "0x10", " 3 "]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_attribute_in_xml_may_be_anything(choice: int, other: str, tmp_path: Path) -> None:
    path = write_level(tmp_path / "level.tmx", BOX)[0]
    root = ElementTree.fromstring(path.read_bytes())
    places = [(one, name) for one in root.iter() for name in one.attrib] + [(one, None) for one in root.iter("data")]
    element, name = places[choice % len(places)]
    if name is None:
        element.text = other
    else:
        element.set(name, other)
    path.write_bytes(ElementTree.tostring(root))
    tell_or_read(path)
