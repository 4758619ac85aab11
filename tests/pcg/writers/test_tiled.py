"""Maps for the Tiled editor, as other programs read them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import pytiled_parser
from PIL import Image
from pytiled_parser import tiled_object

from pcg.writers.levels.level import Level
from pcg.writers.levels.objects import Actor, Area, goal_areas, put_together, take_apart
from pcg.writers.levels.tilemap import read_level, write_level
from pcg.writers.levels.tileset import tileset, tileset_name
from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.games import GAMES
from runtime.content.levels.rules import TILE
from runtime.content.levels.sokoban.game import SOKOBAN

BOXES = Level("sokoban", ("########", "#@ $.* #", "#      #", "########"), "rRlr", {"model": "a test's"})
CRYPT = Level("dungeon", ("#####-", "#<.M#-", "#.#k##", "#.iD>#", "######"), "rrddr")
BOTH = pytest.mark.parametrize("suffix", [".tmx", ".tmj"])


def every_tile(name: str) -> Level:
    """All of a game's tiles once, in a row."""
    return Level(name, ("".join(GAMES[name].tiles),))


@BOTH
@pytest.mark.parametrize(
    "level", [BOXES, CRYPT, *map(every_tile, GAMES)], ids=lambda level: f"{level.game}{level.rows}"
)
def test_pytiled_parser_reads_the_same_level(level: Level, suffix: str, tmp_path: Path) -> None:
    path, picture = write_level(tmp_path / f"level{suffix}", level)
    made = pytiled_parser.parse_map(path)
    assert (made.map_size.width, made.map_size.height) == (len(level.rows[0]), len(level.rows))
    assert (made.tile_size.width, made.infinite, made.properties["game"]) == (TILE, False, level.game)
    [tiles] = made.tilesets.values()
    assert Path(tiles.image).name == picture.name == tileset_name(GAMES[level.game])
    with Image.open(picture) as image:
        assert image.size == (tiles.image_width, tiles.image_height)
        assert tiles.tile_count == (image.width // TILE) * (image.height // TILE)
    char = {tiles.firstgid + i: tile.properties["char"] for i, tile in tiles.tiles.items()}
    layers = {layer.name: layer for layer in made.layers}
    ground = [
        "".join(char.get(number, level.rules.empty) for number in row)
        for row in np.array(layers["ground"].data).tolist()
    ]
    expected, actors = take_apart(level.rules, level.rows)
    assert ground == expected
    found = [
        Actor(kind, char[one.gid], int(one.coordinates.x) // TILE, int(one.coordinates.y) // TILE - 1)
        for kind in ("start", "enemies", "boxes", "items")
        for one in layers[kind].tiled_objects
    ]
    assert sorted(found, key=repr) == sorted(actors, key=repr)
    goals = layers["goals"].tiled_objects
    assert all(isinstance(one, tiled_object.Rectangle) for one in goals)
    assert [(one.coordinates.x, one.coordinates.y, one.size.width, one.size.height) for one in goals] == [
        (TILE * a.column, TILE * a.row, TILE * a.width, TILE * a.height) for a in goal_areas(level.rules, level.rows)
    ]
    assert ("solution" in layers) == (level.solution is not None)


@BOTH
def test_the_solution_is_a_line(suffix: str, tmp_path: Path) -> None:
    path = write_level(tmp_path / f"level{suffix}", CRYPT)[0]
    layers = {layer.name: layer for layer in pytiled_parser.parse_map(path).layers}
    [line] = layers["solution"].tiled_objects
    assert isinstance(line, tiled_object.Polyline)
    places = [(line.coordinates.x + p.x, line.coordinates.y + p.y) for p in line.points]
    assert places == [(24, 24), (56, 24), (56, 56), (72, 56)]  # the corners only
    assert line.properties["moves"] == CRYPT.solution


@pytest.mark.parametrize(
    "level", [BOXES, CRYPT, *map(every_tile, GAMES)], ids=lambda level: f"{level.game}{level.rows}"
)
def test_pytmx_shows_every_tile_in_pygame(level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SDL_VIDEODRIVER", "dummy")
    pygame = pytest.importorskip("pygame")
    import pytmx.util_pygame

    pygame.display.init()
    try:
        pygame.display.set_mode((8, 8))
        made = pytmx.util_pygame.load_pygame(str(write_level(tmp_path / "level.tmx", level)[0]))
        sheet = tileset(level.rules)
        chars = list(level.rules.tiles)
        ground, actors = take_apart(level.rules, level.rows)
        shown = {(x, y): image for x, y, image in made.get_layer_by_name("ground").tiles()}
        for y, row in enumerate(ground):
            for x, char in enumerate(row):
                top, left = (TILE * at for at in divmod(chars.index(char), 8))
                expected = sheet[top : top + TILE, left : left + TILE]
                if (x, y) not in shown:
                    assert not expected.any()
                    continue
                pixels = np.frombuffer(pygame.image.tobytes(shown[x, y], "RGB"), np.uint8).reshape(TILE, TILE, 3)
                opaque = expected[..., 3] > 0
                assert np.array_equal(pixels[opaque], expected[opaque][:, :3])
        # pytmx gives the top left of tile objects, in whole tiles here.
        objects = [one for kind in ("start", "enemies", "boxes", "items") for one in made.get_layer_by_name(kind)]
        assert {(one.x, one.y) for one in objects} == {(TILE * a.column, TILE * a.row) for a in actors}
    finally:
        pygame.display.quit()


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_taken_apart_and_put_together_is_the_same(game) -> None:
    rows = ["".join(game.tiles), "".join(reversed(game.tiles))]
    ground, actors = take_apart(game, rows)
    assert put_together(game, ground, actors) == rows
    assert not {a.char for a in actors} & set("".join(ground))


def test_a_box_on_a_target_is_both() -> None:
    ground, actors = take_apart(SOKOBAN, ["#*+$"])
    assert ground == ["#.. "]
    assert actors == [Actor("boxes", "$", 1, 0), Actor("start", "@", 2, 0), Actor("boxes", "$", 3, 0)]
    assert goal_areas(SOKOBAN, ["#*+$", "#.  "]) == [Area(1, 0, 1, 2), Area(2, 0, 1, 1)]


@pytest.mark.parametrize(
    ("actors", "words"),
    [
        ([Actor("enemies", "M", 5, 0)], "monster at row 0, column 5 is outside"),
        ([Actor("enemies", "M", 0, 0)], "stands in wall"),
        ([Actor("enemies", "M", 2, 0)], "stands on stairs down; dungeon has no tile for both"),
        ([Actor("enemies", "M", 1, 0), Actor("items", "i", 1, 0)], "item at row 0, column 1 stands on another"),
    ],
)
def test_objects_in_wrong_places_are_told(actors: list[Actor], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        put_together(DUNGEON, ["#.>"], actors)


@BOTH
def test_an_edited_map_is_read(suffix: str, tmp_path: Path) -> None:
    """A box moved by the mouse, not quite onto the grid, and a tile painted over."""
    path = write_level(tmp_path / f"level{suffix}", BOXES)[0]
    text = path.read_text()
    if suffix == ".tmx":
        text = text.replace('x="48" y="32"', 'x="30.5" y="50"')
    else:
        made = json.loads(text)
        [boxes] = [layer for layer in made["layers"] if layer["name"] == "boxes"]
        boxes["objects"][0] |= {"x": 30.5, "y": 50}
        text = json.dumps(made)
    path.write_text(text)
    assert read_level(path).rows == ("########", "#@  .* #", "# $    #", "########")
    assert read_level(path).provenance == BOXES.provenance


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("<map", "<pam", "not XML"),
        ('encoding="csv"', 'encoding="base64"', "only CSV is read"),
        ('infinite="0"', 'infinite="1"', "infinite"),
        ('width="8"', 'width="800000"', "up to 524288 can be read"),
        ('tileset firstgid="1"', 'tileset firstgid="1" source="other.tsx"', "other.tsx.* embed it"),
        ('name="game" value="sokoban"', 'name="game" value="chess"', "unknown game 'chess'"),
        ('name="game"', 'name="gamE"', "say which with --game"),
        ('gid="4"', 'gid="99"', "uses tile 99"),
        ('gid="4"', 'gid="2"', "is wall, which belongs to the tiles"),
    ],
)
def test_a_map_that_is_not_understood_is_told(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = write_level(tmp_path / "level.tmx", BOXES)[0]
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match="(?s)" + words):
        read_level(path)


def test_no_map_at_all_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tmx").write_text("<svg/>")
    (tmp_path / "a.tmj").write_text("[]")
    for name in ("a.tmx", "a.tmj"):
        with pytest.raises(ValueError, match="not a map of Tiled"):
            read_level(tmp_path / name)


def test_every_tile_of_every_game_can_be_told_from_the_others() -> None:
    for game in GAMES.values():
        sheet = tileset(game)
        pictures = {
            sheet[y : y + TILE, x : x + TILE].tobytes()
            for y, x in ((TILE * (i // 8), TILE * (i % 8)) for i in range(len(game.tiles)))
        }
        invisible = {game.empty, "-"} & game.tiles.keys()
        assert len(pictures) >= len(game.tiles) - len(invisible) + 1
