"""Writing and reading level files; the suffix chooses the format (docs/levels.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pcg.writers.files import replace_file, replace_shared
from pcg.writers.levels import ldtk, picture, plain, tiled
from pcg.writers.levels.level import Find, Level
from pcg.writers.levels.tileset import check_tileset, tileset_name
from runtime.content.levels.games import GAMES, find_game
from runtime.content.levels.rules import Game, goals_of, starts_of
from runtime.errors import nearest

# From a level and a path to the content of each file, by path, the one asked for first.
Encoder = Callable[[Level, Path], dict[Path, bytes]]
# From a file's content, its path, the name of the game if known, and a finder of games to a level. Raises ValueError.
Decoder = Callable[[bytes, Path, str | None, Find], Level]

ENCODERS: dict[str, Encoder] = {
    ".txt": plain.encode_text,
    ".csv": plain.encode_csv,
    ".json": plain.encode_json,
    ".tmj": tiled.encode_tmj,
    ".tmx": tiled.encode_tmx,
    ".ldtk": ldtk.encode_ldtk,
    ".png": picture.encode_png,
}
WITH_TILESET = (".tmj", ".tmx", ".ldtk")  # formats that refer to the picture of a tileset
DECODERS: dict[str, Decoder] = {
    ".txt": plain.decode_text,
    ".csv": plain.decode_csv,
    ".json": plain.decode_json,
    ".tmj": tiled.decode_tmj,
    ".tmx": tiled.decode_tmx,
    ".ldtk": ldtk.decode_ldtk,
    ".png": picture.decode_png,
}


def check_suffix(path: Path) -> str:
    """The suffix that says which format a level file has. Raises ValueError if there is no such format."""
    suffix = path.suffix.lower()
    if suffix not in ENCODERS:
        raise ValueError(f"{path}: no level format is called {suffix or 'nothing'!r}{nearest(suffix, ENCODERS)}")
    return suffix


def write_level(path: Path, level: Level, *, force: bool = False) -> list[Path]:
    """Write a level in the format that the path's suffix names. Returns all files written, `path` first.

    The levels of a game in one folder share the picture of the tileset. Only with `force` does it replace a picture
    that was not written here.

    Raises:
        ValueError: there is no such format; FileExistsError: another picture has the tileset's name; OSError.
    """
    files = ENCODERS[check_suffix(path)](level, path)
    shared = path.with_name(tileset_name(level.rules))
    if shared in files and not force:
        check_tileset(shared)
    for name, data in files.items():
        if name == shared:
            replace_shared(name, data)
        else:
            replace_file(name, data)
    return list(files)


def read_level(path: Path, game: str | None = None, find: Find = find_game) -> Level:
    """Read a level from a file. A file with a suffix that is not in DECODERS is read as text.

    Args:
        path: the file.
        game: the name of the game; None takes the one that the file names, or the only one that has all its tiles.
        find: finds games by name, perhaps custom ones.

    Raises:
        ValueError: the file holds no level, or the level may be of several games; OSError.
    """
    if game is not None:
        find(game)
    try:
        level = DECODERS.get(path.suffix.lower(), plain.decode_text)(path.read_bytes(), path, game, find)
        named = find(game or level.game) if game or level.game else None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not level.rows:
        raise ValueError(f"{path} holds no level: it has no row of tiles")
    if game is not None and level.game not in ("", game):
        raise ValueError(f"{path} holds a level of {level.game}, not of {game}")
    chosen = named or _game_of(path, level.rows)
    custom = None if chosen.legend is None else chosen
    return replace(level, game=chosen.name, rows=_fill_up(chosen, level.rows), custom=custom)


def _fill_up(game: Game, rows: Sequence[str]) -> tuple[str, ...]:
    """Fill rows up to the longest if the empty tile is a space, since editors drop spaces at the end of a line."""
    width = max(map(len, rows)) if game.empty == " " else 0
    return tuple(row.ljust(width) for row in rows)


def _game_of(path: Path, rows: Sequence[str]) -> Game:
    """The only game that has all tiles of the rows; among several, the only one that could be played."""
    used = set("".join(rows))
    able = [game for game in GAMES.values() if used <= game.tiles.keys()]
    playable = [game for game in able if _playable(game, used)]
    if len(able) > 1 and len(playable) == 1:
        able = playable
    if len(able) != 1:
        games = ", ".join(game.name for game in able or GAMES.values())
        what = "could be of several games" if able else "has tiles that no game has together"
        raise ValueError(f"{path} {what}; say which with --game: {games}")
    return able[0]


def _playable(game: Game, used: set[str]) -> bool:
    """Whether there are a start and a goal, and a box if the game has boxes."""
    boxes = {tile.char for tile in game.tiles.values() if tile.pushable}
    return not (used.isdisjoint(starts_of(game)) or used.isdisjoint(goals_of(game)) or (boxes and not boxes & used))
