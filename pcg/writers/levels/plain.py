"""Levels as text, CSV and JSON.

Text has one character a tile. CSV has one number a tile: its index in the game's list of tiles, which is also its index
in the game's tileset. Both have a sidecar for the rest; JSON holds everything itself.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pcg.writers.levels.level import Find, Level
from pcg.writers.levels.values import read_json, shown
from pcg.writers.provenance import sidecar_bytes, sidecar_path


def encode_text(level: Level, path: Path) -> dict[Path, bytes]:
    """NAME.txt and its sidecar."""
    return {path: "".join(f"{row}\n" for row in level.rows).encode(), **_sidecar(level, path, "txt")}


def encode_csv(level: Level, path: Path) -> dict[Path, bytes]:
    """NAME.csv and its sidecar, which also holds the tiles' characters in the order of their numbers."""
    number = {char: i for i, char in enumerate(level.rules.tiles)}
    lines = "".join(",".join(str(number[char]) for char in row) + "\n" for row in level.rows)
    return {path: lines.encode(), **_sidecar(level, path, "csv", tiles="".join(number))}


def encode_json(level: Level, path: Path) -> dict[Path, bytes]:
    """NAME.json."""
    return {path: sidecar_bytes({"form": "json", **level.about(), "rows": list(level.rows)})}


def decode_text(data: bytes, path: Path, game: str | None, find: Find) -> Level:
    """A level from text, without lines that begin with ";" and empty lines before and after the level."""
    del find
    lines = [line for line in data.decode().splitlines() if not line.startswith(";")]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    said = {} if game else _read_sidecar(path)
    return Level(said.get("game", ""), tuple(lines))


def decode_csv(data: bytes, path: Path, game: str | None, find: Find) -> Level:
    """A level from CSV; the game, which gives the numbers their meaning, must be known.

    Raises:
        ValueError: no game is known, or a cell is not the number of one of its tiles.
    """
    named = game or _read_sidecar(path).get("game")
    if named is None:
        raise ValueError("numbers of tiles say nothing without their game; say which with --game")
    chars = list(find(named).tiles)
    rows = []
    for y, cells in enumerate(_cells(data)):
        row = ""
        for x, cell in enumerate(cells):
            if not re.fullmatch(r"\s*[0-9]{1,9}\s*", cell) or int(cell) >= len(chars):
                raise ValueError(f"row {y}, column {x}: {cell!r:.40} is not a tile; {named} has 0 to {len(chars) - 1}")
            row += chars[int(cell)]
        rows.append(row)
    return Level(named, tuple(rows))


def decode_json(data: bytes, path: Path, game: str | None, find: Find) -> Level:
    """A level from JSON: an object whose `rows` are strings; `game`, `solution` and `provenance` may be there.

    Raises:
        ValueError: the text is not such an object.
    """
    del path, game, find
    said = read_json(data)
    if not isinstance(said, dict) or not _strings(said.get("rows")):
        raise ValueError('a level in JSON is an object with "rows", an array of strings')
    for name, kind in (("game", str), ("solution", str), ("provenance", dict)):
        if not isinstance(said.get(name), kind | None):
            raise ValueError(f"{name} is {shown(said[name])}; it must be a {kind.__name__}")
    return Level(said.get("game") or "", tuple(said["rows"]), said.get("solution"), said.get("provenance"))


def _cells(data: bytes) -> Iterator[list[str]]:
    """The cells of each line. Raises ValueError if the data are not CSV."""
    try:
        yield from csv.reader(io.StringIO(data.decode()))
    except csv.Error as error:
        raise ValueError(f"this is not CSV: {error}") from error


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, str) for row in value)


def _sidecar(level: Level, path: Path, form: str, **more: Any) -> dict[Path, bytes]:
    return {sidecar_path(path): sidecar_bytes({"form": form, **level.about(), **more})}


def _read_sidecar(path: Path) -> dict[str, Any]:
    """The sidecar of a file; empty if there is none."""
    beside = sidecar_path(path)
    said = read_json(beside.read_bytes(), f"{beside.name} beside it") if beside.exists() else {}
    if not isinstance(said, dict) or not isinstance(said.get("game", ""), str):
        raise ValueError(f"{beside.name} beside it is not a sidecar of a level")
    return said
