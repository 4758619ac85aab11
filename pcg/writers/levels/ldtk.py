"""Levels as projects of the LDtk editor: one level, format version 1.5.3. Written from LDtk's documentation of it.

The IntGrid layer "Ground" holds what stays: one value a tile, and for each value a rule that shows its picture. The
layer "Objects" holds one entity for each object that stands on it. The entities Goal and Solution show what the tiles
and the moves already say; they are not read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pcg.writers.levels import ldtk_parts as parts
from pcg.writers.levels.level import Find, Level
from pcg.writers.levels.objects import Actor, corners, goal_areas, kind_of, put_together, take_apart
from pcg.writers.levels.tiles import background, draw
from pcg.writers.levels.tileset import COLUMNS, tileset_name, tileset_png, tileset_rows
from pcg.writers.levels.values import array, objects, read_json, shown, text, told, whole
from runtime.content.levels.games import kit_of
from runtime.content.levels.rules import MOST_TILES, TILE, Game, Tile

GROUND, OBJECTS, GOAL, SOLUTION = "Ground", "Objects", "Goal", "Solution"
# Unique numbers of the parts. For a game's tiles their index is added, so that files differ only in their levels.
LEVEL, TILESET, GROUND_LAYER, OBJECT_LAYER, RULES, GOALS, SOLUTIONS, MOVES, PATH, FACTS = range(10)
RULE, ENTITY, NEXT = 1000, 2000, 3000
FACT_NAMES = ("game", "solution", "provenance")


def encode_ldtk(level: Level, path: Path) -> dict[Path, bytes]:
    """NAME.ldtk, and its tileset's picture beside it."""
    game = level.rules
    project = json.dumps(_project(level), separators=(",", ":")).encode()
    return {path: project, path.with_name(tileset_name(game)): tileset_png(game)}


def decode_ldtk(data: bytes, path: Path, named: str | None, find: Find) -> Level:
    """A level from a project with one level, which was written here and may have been edited.

    Args:
        data: the content of the file.
        path: not used.
        named: the name of the game; None takes the level's field "game".
        find: finds games by name.

    Raises:
        ValueError: it is not a project, has several levels, or has values or entities that the game does not have.
    """
    del path
    made = read_json(data)
    levels = objects(made.get("levels"), "levels") if isinstance(made, dict) else []
    if len(levels) != 1:
        raise ValueError(f"a project of LDtk with one level can be read; this has {len(levels)}")
    fields = objects(levels[0].get("fieldInstances"), "fieldInstances")
    facts = {text(one.get("__identifier"), "a field's name") or "": one.get("__value") for one in fields}
    if named is None and not isinstance(facts.get("game"), str):
        raise ValueError('the level has no field "game"; say which with --game')
    game = find(named or str(facts["game"]))
    layers = {
        text(layer.get("__identifier"), "a layer's name"): layer
        for layer in objects(levels[0].get("layerInstances"), "layerInstances")
    }
    if GROUND not in layers:
        raise ValueError(f"the level has no layer {GROUND!r}")
    rows = _read_ground(game, layers[GROUND])
    known = {_identifier(tile): tile for tile in game.tiles.values() if kind_of(tile)}
    actors = []
    for one in objects(layers.get(OBJECTS, {}).get("entityInstances"), "entityInstances"):
        name = text(one.get("__identifier"), "an entity's name")
        grid = array(one.get("__grid"), f"{name!r:.40}: __grid")
        if len(grid) != 2:
            raise ValueError(f"{name!r:.40}: __grid has {len(grid)} numbers; it must be a column and a row")
        column, row = (whole(value, f"{name!r:.40}: __grid") for value in grid)
        if name in known:
            actors.append(Actor(kind_of(known[name]) or "", known[name].char, column, row))
        elif name not in (GOAL, SOLUTION):
            raise ValueError(f"{game.name} has no tile for the entity {name!r:.40} at row {row}, column {column}")
    return Level(game.name, tuple(put_together(game, rows, actors)), *told(facts))


def _read_ground(game: Game, layer: dict[str, Any]) -> list[str]:
    width, height = (whole(layer.get(side), f"{GROUND}: {side}") for side in ("__cWid", "__cHei"))
    values = array(layer.get("intGridCsv"), f"{GROUND}: intGridCsv")
    if min(width, height) < 1 or width * height > MOST_TILES or len(values) != width * height:
        raise ValueError(
            f"{GROUND} has {len(values)} values for {width}x{height} tiles; up to {MOST_TILES} can be read"
        )
    chars = [game.empty, *game.tiles]
    for at, value in enumerate(values):
        where = f"{GROUND}, row {at // width}, column {at % width}"
        if not 0 <= whole(value, where) < len(chars):
            raise ValueError(f"{where}: {shown(value)} is not a tile; {game.name} has 0 to {len(chars) - 1}")
    return ["".join(chars[value] for value in values[y * width : (y + 1) * width]) for y in range(height)]


def _project(level: Level) -> dict[str, Any]:
    game = level.rules
    ground, actors = take_apart(game, level.rows)
    width, height = len(ground[0]), len(ground)
    color = "#{:02X}{:02X}{:02X}".format(*background(game.name))
    facts = {"game": game.name, "solution": level.solution}
    facts["provenance"] = json.dumps(dict(level.provenance)) if level.provenance else None
    fields = [parts.field(name, "String", FACTS + i, facts[name]) for i, name in enumerate(FACT_NAMES)]
    entities = _entities(game, level, actors)
    size = {"width": width, "height": height}
    layers = [
        parts.layer(OBJECTS, "Entities", OBJECT_LAYER, **size) | {"entityInstances": entities},
        parts.layer(GROUND, "IntGrid", GROUND_LAYER, **size)
        | {"__tilesetDefUid": TILESET, "__tilesetRelPath": tileset_name(game)}
        | {"intGridCsv": [_value(game, char) for row in ground for char in row]}
        | {"autoLayerTiles": _pictures(game, ground)},
    ]
    return parts.project(
        level=parts.level(width * TILE, height * TILE, color, fields, layers),
        definitions=_definitions(game),
        color=color,
        next_uid=NEXT,
    )


def _definitions(game: Game) -> dict[str, Any]:
    ground = [tile for tile in game.tiles.values() if kind_of(tile) is None]
    shown = [(value, tile) for tile in ground if (value := _value(game, tile.char))]
    values = [
        {"value": value, "identifier": _identifier(tile), "color": _color(game, tile), "groupUid": 0}
        | {"tile": _picture(game, tile.char)}
        for value, tile in shown
    ]
    rules = [parts.rule(RULE + value, value, value - 1) for value, _ in shown]
    entities = [
        parts.entity_definition(_identifier(tile), _entity_uid(game, tile.char), _color(game, tile), kind)
        | {"renderMode": "Tile", "tilesetId": TILESET, "tileRect": _picture(game, tile.char)}
        for tile in game.tiles.values()
        if (kind := kind_of(tile))
    ]
    moves = parts.field_definition("moves", "String", MOVES, "Hidden")
    way = parts.field_definition("path", "Point", PATH, "PointPath", array=True)
    entities += [
        parts.entity_definition(GOAL, GOALS, "#6AB04C", "goals") | {"resizableX": True, "resizableY": True},
        parts.entity_definition(SOLUTION, SOLUTIONS, "#FFEE58", "solution") | {"fieldDefs": [moves, way]},
    ]
    layers = [
        parts.layer_definition(OBJECTS, "Entities", OBJECT_LAYER),
        parts.layer_definition(GROUND, "IntGrid", GROUND_LAYER)
        | {"intGridValues": values, "tilesetDefUid": TILESET}
        | {"autoRuleGroups": [parts.rule_group("Tiles", RULES, rules)]},
    ]
    sheet = parts.tileset("Tiles", TILESET, tileset_name(game), COLUMNS, tileset_rows(game))
    facts = [parts.field_definition(name, "String", FACTS + i, "Hidden") for i, name in enumerate(FACT_NAMES)]
    return {
        "layers": layers,
        "entities": entities,
        "tilesets": [sheet],
        "enums": [],
        "externalEnums": [],
        "levelFields": facts,
    }


def _entities(game: Game, level: Level, actors: list[Actor]) -> list[dict[str, Any]]:
    made = [
        parts.entity(_identifier(game.tiles[a.char]), _entity_uid(game, a.char), a.column, a.row, tags=[a.kind])
        | {"__tile": _picture(game, a.char), "__smartColor": _color(game, game.tiles[a.char])}
        for a in actors
    ]
    for area in goal_areas(game, level.rows):
        one = parts.entity(GOAL, GOALS, area.column, area.row, tags=["goals"])
        made.append(one | {"width": TILE * area.width, "height": TILE * area.height})
    if level.solution is not None:
        right, bottom = len(level.rows[0]) - 1, len(level.rows) - 1
        places = kit_of(game).player.path(level.rows, level.solution)
        cells = [(min(max(x // TILE, 0), right), min(max(y // TILE, 0), bottom)) for x, y in places]
        points = [{"cx": x, "cy": y} for x, y in corners(cells)]
        one = parts.entity(SOLUTION, SOLUTIONS, *cells[0], tags=["solution"])
        fields = [parts.field("moves", "String", MOVES, level.solution), parts.field("path", "Point", PATH, points)]
        made.append(one | {"fieldInstances": fields})
    return made


def _pictures(game: Game, ground: list[str]) -> list[dict[str, Any]]:
    """The tiles that the rules draw for the ground: one for each value that is not 0."""
    tiles = []
    for y, row in enumerate(ground):
        for x, char in enumerate(row):
            if value := _value(game, char):
                source = _picture(game, char)
                tiles.append(
                    {"px": [TILE * x, TILE * y], "src": [source["x"], source["y"]], "f": 0, "t": value - 1, "a": 1}
                    | {"d": [RULE + value, y * len(row) + x]}
                )
    return tiles


def _value(game: Game, char: str) -> int:
    """A tile's IntGrid value: its index in the game's table, from 1; 0 for an empty tile without a visible pixel."""
    invisible = char == game.empty and not draw(game, game.tiles[char]).pixels.any()
    return 0 if invisible else list(game.tiles).index(char) + 1


def _entity_uid(game: Game, char: str) -> int:
    return ENTITY + list(game.tiles).index(char)


def _identifier(tile: Tile) -> str:
    """A tile's name as LDtk allows names: "stairs up" -> "Stairs_up"."""
    return re.sub(r"\W+", "_", tile.name).capitalize()


def _picture(game: Game, char: str) -> dict[str, int]:
    """The rectangle of a tile in the tileset."""
    row, column = divmod(list(game.tiles).index(char), COLUMNS)
    return {"tilesetUid": TILESET, "x": TILE * column, "y": TILE * row, "w": TILE, "h": TILE}


def _color(game: Game, tile: Tile) -> str:
    """The mean colour of a tile's picture; black for an invisible one."""
    pixels = draw(game, tile).pixels
    opaque = pixels[pixels[..., 3] > 0][:, :3]
    mean = opaque.sum(axis=0) // max(len(opaque), 1)
    return "#{:02X}{:02X}{:02X}".format(*(int(part) for part in mean))
