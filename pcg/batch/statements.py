"""Where each key of a TOML file stands, which tomllib does not say.

Every statement of TOML (a header, or a key and its value) is valid alone. So the file is cut where the lines since the
last cut can be parsed, and each piece is parsed to know which key it sets.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

Path = tuple[str | int, ...]  # from the root to a value: keys, and places in arrays


def read_toml(text: str) -> tuple[dict[str, Any], dict[Path, int]]:
    r"""A TOML document, and the line (from 1) on which each of its tables and keys begins.

    >>> read_toml("[[level]]\ncount = 2\n")[1]
    {('level', 0): 1, ('level', 0, 'count'): 2}

    Raises:
        tomllib.TOMLDecodeError: the text is not TOML; the message has the line and the column.
    """
    document = tomllib.loads(text)
    lines: dict[Path, int] = {}
    table: Path = ()
    begun: dict[tuple[str, ...], int] = {}  # how many tables each array of tables has
    piece, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if not piece:
            first = number
        piece += line + "\n"
        try:
            said = tomllib.loads(piece)
        except tomllib.TOMLDecodeError:
            continue
        piece = ""
        if not said:  # a comment or an empty line
            continue
        if line.lstrip().startswith("[") and first == number:
            table = _header(said, begun)
            for end in range(1, len(table) + 1):
                lines.setdefault(table[:end], first)
        else:
            _note(said, table, first, lines)
    return document, lines


def _header(said: Mapping[str, Any], begun: dict[tuple[str, ...], int]) -> Path:
    """The path of the table that a header begins, in the latest table of every array above it."""
    path: Path = ()
    names: tuple[str, ...] = ()
    value: Any = said
    while isinstance(value, Mapping) and value:
        name, value = next(iter(value.items()))
        names, path = (*names, name), (*path, name)
        if isinstance(value, list):  # a header of an array of tables
            begun[names] = begun.get(names, 0) + 1
            return (*path, begun[names] - 1)
        if names in begun:
            path = (*path, begun[names] - 1)
    return path


def _note(said: Mapping[str, Any], above: Path, line: int, lines: dict[Path, int]) -> None:
    for name, value in said.items():
        lines.setdefault((*above, name), line)
        if isinstance(value, Mapping):
            _note(value, (*above, name), line, lines)


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of a path, or of the nearest table around it; 1 if there is none."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
