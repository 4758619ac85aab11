"""Projects for the LDtk editor, as a typed reader of its format takes them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typed_ldtk import parsed

from pcg.writers.levels.level import Level
from pcg.writers.levels.objects import corners, goal_areas, take_apart
from pcg.writers.levels.picture import picture
from pcg.writers.levels.tilemap import read_level, write_level
from runtime.content.levels.games import GAMES
from runtime.content.levels.rules import TILE

BOXES = Level("sokoban", ("########", "#@ $.* #", "#      #", "########"), "rR", {"model": "a test's"})
CRYPT = Level("dungeon", ("#####-", "#<.M#-", "#.#k##", "#.iD>#", "######"), "rrddr")
EVERY = [BOXES, CRYPT, *(Level(name, ("".join(game.tiles),)) for name, game in GAMES.items())]
ALL = pytest.mark.parametrize("level", EVERY, ids=lambda level: f"{level.game}{level.rows}")


@ALL
def test_a_typed_reader_finds_the_level(level: Level, tmp_path: Path) -> None:
    path, sheet = write_level(tmp_path / "level.ldtk", level)
    project = parsed(path)
    [tileset] = project.defs.tilesets
    assert tileset.rel_path == sheet.name
    with Image.open(sheet) as image:
        assert image.size == (tileset.px_wid, tileset.px_hei)
    [made] = project.levels
    assert (made.px_wid, made.px_hei) == (TILE * len(level.rows[0]), TILE * len(level.rows))
    objects, ground = made.layer_instances
    expected, actors = take_apart(level.rules, level.rows)
    names = {value.value: value.identifier for value in project.defs.layers[1].int_grid_values}
    empty = level.rules.tiles[level.rules.empty].name
    found = [names.get(value, empty) for value in ground.int_grid_csv]
    want = [level.rules.tiles[char].name for row in expected for char in row]
    assert [name.lower() for name in found] == [re.sub(r"\W+", "_", name) for name in want]
    assert sum(1 for one in objects.entity_instances if one.tags[0] in ("start", "enemies", "boxes", "items")) == len(
        actors
    )
    goals = [one for one in objects.entity_instances if one.identifier == "Goal"]
    assert [(*one.grid, one.width // TILE, one.height // TILE) for one in goals] == [
        (a.column, a.row, a.width, a.height) for a in goal_areas(level.rules, level.rows)
    ]


@ALL
def test_numbers_refer_to_what_there_is(level: Level, tmp_path: Path) -> None:
    project = parsed(write_level(tmp_path / "level.ldtk", level)[0])
    layers, entities = project.defs.layers, project.defs.entities
    fields = [*project.defs.level_fields, *(field for entity in entities for field in entity.field_defs)]
    rules = [rule for group in layers[1].auto_rule_groups for rule in (group, *group.rules)]
    uids = [one.uid for one in (*layers, *entities, *fields, *rules, *project.defs.tilesets, *project.levels)]
    assert len(uids) == len(set(uids))
    assert max(uids) < project.next_uid
    [made] = project.levels
    assert [one.layer_def_uid for one in made.layer_instances] == [one.uid for one in layers]
    known = {one.uid: one.identifier for one in entities}
    instances = made.layer_instances[0].entity_instances
    assert all(known[one.def_uid] == one.identifier for one in instances)
    iids = [project.iid, made.iid, *(one.iid for one in (*made.layer_instances, *instances))]
    assert len(iids) == len(set(iids))
    identifiers = [one.identifier for one in (*layers, *entities)]
    assert len(identifiers) == len(set(identifiers))
    assert all(re.fullmatch(r"[A-Z][a-z0-9_]*", name) for name in identifiers)


@ALL
def test_its_tiles_are_those_of_the_picture(level: Level, tmp_path: Path) -> None:
    """Drawn as a game engine would: the layers from the bottom up, tile by tile from the tileset."""
    path, sheet = write_level(tmp_path / "level.ldtk", level)
    [made] = parsed(path).levels
    objects, ground = made.layer_instances
    drawn = Image.new("RGB", (made.px_wid, made.px_hei), made.bg_color)
    with Image.open(sheet) as tiles:
        for x, y, left, top in (
            *((*one.px, *one.src) for one in ground.auto_layer_tiles),
            *((*one.px, one.tile.x, one.tile.y) for one in objects.entity_instances if one.tile),
        ):
            tile = tiles.crop((left, top, left + TILE, top + TILE))
            drawn.paste(tile, (x, y), tile)
    plain = Level(level.game, level.rows)
    assert np.array_equal(np.asarray(drawn), picture(plain))


def test_the_solution_is_a_path(tmp_path: Path) -> None:
    [made] = parsed(write_level(tmp_path / "level.ldtk", CRYPT)[0]).levels
    [solution] = [one for one in made.layer_instances[0].entity_instances if one.identifier == "Solution"]
    moves, path = solution.field_instances
    assert (moves.value, moves.real_editor_values) == ("rrddr", [{"id": "V_String", "params": ["rrddr"]}])
    assert path.value == [{"cx": 1, "cy": 1}, {"cx": 3, "cy": 1}, {"cx": 3, "cy": 3}, {"cx": 4, "cy": 3}]
    assert path.real_editor_values[1] == {"id": "V_String", "params": ["3,1"]}
    assert read_level(tmp_path / "level.ldtk") == CRYPT


def test_an_edited_project_is_read(tmp_path: Path) -> None:
    path = write_level(tmp_path / "level.ldtk", BOXES)[0]
    made = json.loads(path.read_text())
    objects, ground = made["levels"][0]["layerInstances"]
    [box] = [one for one in objects["entityInstances"] if one["__identifier"] == "Box" and one["__grid"] == [3, 1]]
    box["__grid"] = [4, 1]  # onto the target
    ground["intGridCsv"][8 + 6] = 2  # a wall
    path.write_text(json.dumps(made))
    again = read_level(path)
    assert again.rows == ("########", "#@  **##", "#      #", "########")
    assert again.provenance == BOXES.provenance


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"levels":[', '"levels":[{},', "one level can be read; this has 2"),
        ('"__value":"sokoban"', '"__value":"chess"', "unknown game 'chess'"),
        ('"__identifier":"game"', '"__identifier":"gamE"', "say which with --game"),
        ('"__identifier":"Ground"', '"__identifier":"Grund"', "no layer 'Ground'"),
        ('"__cWid":8', '"__cWid":9', "32 values for 9x4 tiles"),
        ('"intGridCsv":[2', '"intGridCsv":[8', "row 0, column 0: 8 is not a tile; sokoban has 0 to 7"),
        ('"__identifier":"Box"', '"__identifier":"Bax"', "no tile for the entity 'Bax' at row 1, column 3"),
    ],
)
def test_a_project_that_is_not_understood_is_told(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = write_level(tmp_path / "level.ldtk", BOXES)[0]
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=words):
        read_level(path)


def test_corners() -> None:
    assert corners([(0, 0)]) == [(0, 0)]
    assert corners([(0, 0), (0, 0), (1, 0), (2, 0), (2, 0), (3, 0), (3, 1)]) == [(0, 0), (3, 0), (3, 1)]
    assert corners([(0, 0), (1, 0), (0, 0)]) == [(0, 0), (1, 0), (0, 0)]
