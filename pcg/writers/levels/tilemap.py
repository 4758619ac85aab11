"""Tile levels to files and back: which suffix is which format (docs/levels.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pcg.writers.files import replace_file, replace_shared
from pcg.writers.levels import (
    ldtk as tilemap_ldtk,
)
from pcg.writers.levels import (
    picture as tilemap_picture,
)
from pcg.writers.levels import (
    plain as tilemap_plain,
)
from pcg.writers.levels import (
    tiled as tilemap_tiled,
)
from pcg.writers.levels.level import Find, Level
from pcg.writers.levels.tileset import check_tileset, tileset_name
from runtime.content.levels.games import GAMES, find_game
from runtime.content.levels.rules import Game, goals_of, starts_of
from runtime.errors import nearest

# What a level becomes under a path: the files, by path, the one asked for first.
Encoder = Callable[[Level, Path], dict[Path, bytes]]
# What a file holds, given the path, the game's name if that is known, and what finds games. Raises ValueError.
Decoder = Callable[[bytes, Path, str | None, Find], Level]

ENCODERS: dict[str, Encoder] = {
    ".txt": tilemap_plain.encode_text,
    ".csv": tilemap_plain.encode_csv,
    ".json": tilemap_plain.encode_json,
    ".tmj": tilemap_tiled.encode_tmj,
    ".tmx": tilemap_tiled.encode_tmx,
    ".ldtk": tilemap_ldtk.encode_ldtk,
    ".png": tilemap_picture.encode_png,
}
WITH_TILESET = (".tmj", ".tmx", ".ldtk")  # formats that refer to its picture
DECODERS: dict[str, Decoder] = {
    ".txt": tilemap_plain.decode_text,
    ".csv": tilemap_plain.decode_csv,
    ".json": tilemap_plain.decode_json,
    ".tmj": tilemap_tiled.decode_tmj,
    ".tmx": tilemap_tiled.decode_tmx,
    ".ldtk": tilemap_ldtk.decode_ldtk,
    ".png": tilemap_picture.decode_png,
}


def check_suffix(path: Path) -> str:
    """The suffix that says which format a level file has. Raises ValueError if there is no such format."""
    suffix = path.suffix.lower()
    if suffix not in ENCODERS:
        raise ValueError(f"{path}: no level format is called {suffix or 'nothing'!r}{nearest(suffix, ENCODERS)}")
    return suffix


def write_level(path: Path, level: Level, *, force: bool = False) -> list[Path]:
    """Write a level in the format that the path's suffix names; gives all files written, `path` first.

    The picture of the tileset, which levels of a game in one folder share, is not written over a picture that is none
    of ours, but with `force`.

    Raises:
        ValueError: no such format; FileExistsError: another picture has the tileset's name; OSError.
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
    """A level from a file: of the game given, the one the file names, or the only one it can be of. `find` may know
    users' own games.

    A file with another suffix than those of DECODERS is read as text.

    Raises:
        ValueError: it holds no level, or not clearly one of one game; OSError.
    """
    if game is not None:
        find(game)
    try:
        level = DECODERS.get(path.suffix.lower(), tilemap_plain.decode_text)(path.read_bytes(), path, game, find)
        named = find(game or level.game) if game or level.game else None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text: {error}") from error
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
    """Rows made as long as the longest where the game's empty tile is a space, which editors drop from line ends."""
    width = max(map(len, rows)) if game.empty == " " else 0
    return tuple(row.ljust(width) for row in rows)


def _game_of(path: Path, rows: Sequence[str]) -> Game:
    """The only game that has all tiles of the rows; of several, the only one that can be played there."""
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
    """Whether there is a start, a goal, and something to push if that is what the game is about."""
    boxes = {tile.char for tile in game.tiles.values() if tile.pushable}
    return not (used.isdisjoint(starts_of(game)) or used.isdisjoint(goals_of(game)) or (boxes and not boxes & used))
