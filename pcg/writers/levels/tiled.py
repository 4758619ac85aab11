"""Levels as maps of the Tiled editor: TMJ (JSON) and TMX (XML), format version 1.10.

Written from Tiled's documentation of both formats. The tile layer "ground" holds what stays. The object layers "start",
"enemies", "boxes" and "items" hold tile objects that stand on it. The object layers "goals" (rectangles) and "solution"
(a line) show what the tiles and the moves already say; they are not read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pcg.writers.levels.level import Find, Level
from pcg.writers.levels.objects import KINDS, Actor, corners, goal_areas, kind_of, put_together, take_apart
from pcg.writers.levels.tiled_xml import from_xml, to_xml
from pcg.writers.levels.tiles import background, draw
from pcg.writers.levels.tileset import COLUMNS, tileset_name, tileset_png, tileset_rows
from pcg.writers.levels.values import array, objects, place, read_json, shown, text, told, whole
from runtime.content.levels.games import kit_of
from runtime.content.levels.rules import MOST_TILES, TILE, Game, Tile

FLIPS = 0xE0000000  # bits of a tile's number for its rotation
FLAGS = ("solid", "hazard", "enemy", "collectible", "start", "goal", "pushable", "diggable", "oneway")
GROUND = "ground"


def encode_tmj(level: Level, path: Path) -> dict[Path, bytes]:
    """NAME.tmj, and its tileset's picture beside it."""
    game = level.rules
    return {path: json.dumps(to_map(level), indent=1).encode(), path.with_name(tileset_name(game)): tileset_png(game)}


def encode_tmx(level: Level, path: Path) -> dict[Path, bytes]:
    """NAME.tmx, and its tileset's picture beside it."""
    game = level.rules
    return {path: to_xml(to_map(level)), path.with_name(tileset_name(game)): tileset_png(game)}


def decode_tmj(data: bytes, path: Path, game: str | None, find: Find) -> Level:
    """A level from a TMJ map. Raises ValueError if it is not a map, or uses features that are not supported."""
    del path
    made = read_json(data)
    if not isinstance(made, dict) or made.get("type", "map") != "map":
        raise ValueError("this is not a map of Tiled")
    return from_map(made, game, find)


def decode_tmx(data: bytes, path: Path, game: str | None, find: Find) -> Level:
    """A level from a TMX map. Raises ValueError if it is not a map, or uses features that are not supported."""
    del path
    return from_map(from_xml(data), game, find)


def from_map(made: dict[str, Any], named: str | None, find: Find) -> Level:
    """A level from a map in TMJ's structure: its tile layers over each other, and the tile objects on them.

    The property "char" of a tile in its tileset says which tile of the game it is.

    Args:
        made: the map.
        named: the name of the game; None takes the map's property "game".
        find: finds games by name.

    Raises:
        ValueError: the map is not a level; the message says why.
    """
    facts = _facts_of(made, "the map")
    if named is None and not isinstance(facts.get("game"), str):
        raise ValueError('the map has no property "game"; say which with --game')
    game = find(named or facts["game"])
    chars = _chars(game, objects(made.get("tilesets"), "tilesets"))
    width, height = (whole(made.get(side, 0), f"the map's {side}") for side in ("width", "height"))
    if made.get("infinite") or min(width, height) < 1 or width * height > MOST_TILES:
        raise ValueError(f"the map is infinite or has {width}x{height} tiles; up to {MOST_TILES} can be read")
    ground = [[game.empty] * width for _ in range(height)]
    actors = []
    for layer in objects(made.get("layers"), "layers"):
        name = f"layer {shown(layer.get('name'))}"
        data = layer.get("data")
        if isinstance(data, str) or (data and len(array(data, name)) != width * height):
            raise ValueError(f"{name}: only CSV is read; choose it as the map's Tile Layer Format")
        for at, number in enumerate(array(data, name)):
            if number:
                where = f"{name}, row {at // width}, column {at % width},"
                ground[at // width][at % width] = _char(chars, number, where)
        for one in objects(layer.get("objects"), f"{name}: objects"):
            if "gid" in one:
                what = f"object {shown(one.get('id'))}"
                char = _char(chars, one["gid"], what)
                if (kind := kind_of(game.tiles[char])) is None:
                    raise ValueError(f"{what} is {game.tiles[char].name}, which belongs to the tiles")
                column, row = (round(place(one.get(axis), f"{what}: {axis}") / TILE) for axis in ("x", "y"))
                actors.append(Actor(kind, char, column, row - 1))  # an object's position is its bottom left corner
    rows = put_together(game, ["".join(row) for row in ground], actors)
    return Level(game.name, tuple(rows), *told(facts))


def _facts_of(holder: dict[str, Any], what: str) -> dict[str, Any]:
    """The properties of a map or a tile: name to value."""
    return {
        name: one.get("value")
        for one in objects(holder.get("properties"), f"{what}: properties")
        if (name := text(one.get("name"), f"{what}: a property's name")) is not None
    }


def _chars(game: Game, tilesets: list[dict[str, Any]]) -> dict[int, str]:
    """The character of each tile by its number in the map."""
    chars = {}
    for tileset in tilesets:
        if "source" in tileset:
            raise ValueError(f"the tileset {tileset['source']!r} is a file of its own; embed it in the map")
        first = whole(tileset.get("firstgid"), "a tileset's firstgid")
        for tile in objects(tileset.get("tiles"), "a tileset's tiles"):
            char = _facts_of(tile, "a tile").get("char")
            if isinstance(char, str) and char in game.tiles:
                chars[first + whole(tile.get("id"), "a tile's id")] = char
    return chars


def _char(chars: dict[int, str], value: Any, where: str) -> str:
    """The character of a tile from its number in a map, whose high bits say its rotation."""
    number = whole(value, f"{where} a tile")
    if not 0 <= number < 1 << 32:
        raise ValueError(f"{where} uses tile {shown(number)}; the numbers of tiles are 0 to {(1 << 32) - 1}")
    if number & ~FLIPS not in chars:
        raise ValueError(f'{where} uses tile {number & ~FLIPS}, which has no property "char" that the game knows')
    return chars[number & ~FLIPS]


def to_map(level: Level) -> dict[str, Any]:
    """Build the map of a level as a dictionary of Tiled's JSON format."""
    game = level.rules
    ground, actors = take_apart(game, level.rows)
    layers: list[dict[str, Any]] = [_tile_layer(game, ground)]
    objects = {kind: [_tile_object(game, a) for a in actors if a.kind == kind] for kind in KINDS}
    objects["goals"] = [
        _object("goal", TILE * a.column, TILE * a.row, TILE * a.width, TILE * a.height)
        for a in goal_areas(game, level.rows)
    ]
    if level.solution is not None:
        objects["solution"] = [_line(level)]
    number = 0
    for name, members in objects.items():
        for member in members:
            number += 1
            member["id"] = number
        layers.append(
            {"type": "objectgroup", "id": len(layers) + 1, "name": name, "x": 0, "y": 0, "opacity": 1, "visible": True}
            | {"draworder": "topdown", "objects": members}
        )
    facts = {"game": game.name, "solution": level.solution}
    facts |= {"provenance": json.dumps(dict(level.provenance))} if level.provenance else {}
    return {
        "type": "map",
        "version": "1.10",
        "tiledversion": "1.10.2",
        "orientation": "orthogonal",
        "renderorder": "right-down",
        "compressionlevel": -1,
        "infinite": False,
        "width": len(ground[0]),
        "height": len(ground),
        "tilewidth": TILE,
        "tileheight": TILE,
        "backgroundcolor": "#{:02x}{:02x}{:02x}".format(*background(game.name)),
        "nextlayerid": len(layers) + 1,
        "nextobjectid": number + 1,
        "properties": _properties({name: fact for name, fact in facts.items() if fact is not None}),
        "tilesets": [_tileset(game)],
        "layers": layers,
    }


# --- a map in TMJ's structure -----------------------------------------------------------------------------------------


def _tile_layer(game: Game, ground: list[str]) -> dict[str, Any]:
    numbers = {char: 0 if _invisible(game, char) else i + 1 for i, char in enumerate(game.tiles)}
    return {
        "type": "tilelayer",
        "id": 1,
        "name": GROUND,
        "x": 0,
        "y": 0,
        "width": len(ground[0]),
        "height": len(ground),
        "opacity": 1,
        "visible": True,
        "data": [numbers[char] for row in ground for char in row],
    }


def _invisible(game: Game, char: str) -> bool:
    """Whether a tile is empty and has no visible pixel; then its number is 0, as for a tile that was not painted."""
    return char == game.empty and not draw(game, game.tiles[char]).pixels.any()


def _tile_object(game: Game, actor: Actor) -> dict[str, Any]:
    """An object with a tile's picture; its position is the bottom left corner of the picture."""
    name = game.tiles[actor.char].name
    made = _object(name, TILE * actor.column, TILE * (actor.row + 1), TILE, TILE)
    return made | {"gid": list(game.tiles).index(actor.char) + 1}


def _line(level: Level) -> dict[str, Any]:
    """The player's path as a line, with points only where it turns."""
    places = corners(kit_of(level.rules).player.path(level.rows, level.solution or ""))
    x, y = places[0]
    made = _object("solution", x, y, 0, 0)
    made["properties"] = _properties({"moves": level.solution or ""})
    return made | {"polyline": [{"x": px - x, "y": py - y} for px, py in places]}


def _object(name: str, x: int, y: int, width: int, height: int) -> dict[str, Any]:
    place = {"x": x, "y": y, "width": width, "height": height}
    return {"id": 0, "name": name, "type": name, **place, "rotation": 0, "visible": True}


def _tileset(game: Game) -> dict[str, Any]:
    rows = tileset_rows(game)
    return {
        "firstgid": 1,
        "name": f"{game.name} tiles",
        "tilewidth": TILE,
        "tileheight": TILE,
        "tilecount": rows * COLUMNS,
        "columns": COLUMNS,
        "image": tileset_name(game),
        "imagewidth": COLUMNS * TILE,
        "imageheight": rows * TILE,
        "margin": 0,
        "spacing": 0,
        "tiles": [
            {"id": number, "type": tile.name, "properties": _properties(_facts(tile))}
            for number, tile in enumerate(game.tiles.values())
        ],
    }


def _facts(tile: Tile) -> dict[str, Any]:
    return {"char": tile.char} | {flag: True for flag in FLAGS if getattr(tile, flag)}


def _properties(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "type": "bool" if isinstance(fact, bool) else "string", "value": fact}
        for name, fact in sorted(facts.items())
    ]
