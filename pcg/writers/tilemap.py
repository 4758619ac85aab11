"""Tile levels in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.content.levels.rules import GAMES, Game, find_game, goals_of, starts_of


@dataclass(frozen=True)
class Level:
    """A level of a game: its rows from the top down, one character a tile."""

    game: str
    rows: tuple[str, ...]


def read_level(path: Path, game: str | None = None) -> Level:
    """A level from a file, of the game given or the only one it can be of.

    Raises:
        ValueError: it holds no level, or not clearly one of one game; OSError.
    """
    try:
        text = path.read_text()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text: {error}") from error
    rows = parse_text(text)
    if not rows:
        raise ValueError(f"{path} holds no level: it has no row of tiles")
    chosen = find_game(game) if game is not None else _game_of(path, rows)
    return Level(chosen.name, fill_up(chosen, rows))


def parse_text(text: str) -> list[str]:
    """The rows of a level in a text: its lines without those that begin with ";" and empty ones around the level.

    >>> parse_text("; a title\\n\\n###\\n#.#\\n")
    ['###', '#.#']
    """
    lines = [line for line in text.splitlines() if not line.startswith(";")]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def fill_up(game: Game, rows: Sequence[str]) -> tuple[str, ...]:
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
