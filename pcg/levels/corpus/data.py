"""Corpora of tile levels: reading them, their licences, and the held-out tenth.

A corpus is a folder with levels.jsonl.gz (one object per line: `name`, `rows`, and optionally `group`, `license` and
`author`) and legend.json (the meaning of each character).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcg.levels.corpus.games import Alphabet, LevelGame, read_alphabet

HELD_OUT_EVERY = 10  # one of this many groups of levels is never trained on
# A licence is clear if it names a version: "GPL 2+ / CC-by-sa 3.0" is clear; "", "CC-BY-SA" and "General Publishing
# License" are not.
CLEAR_LICENCE = re.compile(r"(GPL|CC.?BY(.SA)?)[ -]?v?\d", re.IGNORECASE)


@dataclass(frozen=True)
class Level:
    """One level of a corpus, as it is printed. Levels with the same `group` are versions of one level."""

    name: str
    corpus: str
    group: str
    licence: str
    rows: tuple[str, ...]
    author: str = ""  # as the corpus names them

    @property
    def held_out(self) -> bool:
        """Whether it is held out for validation. A hash of its group decides, so all runs hold out the same levels."""
        digest = hashlib.sha1(f"held out: {self.corpus}/{self.group}".encode()).digest()
        return int.from_bytes(digest, "big") % HELD_OUT_EVERY == 0


@dataclass(frozen=True)
class Corpus:
    """The levels of a game for training and the held-out ones. `refused`: how many levels have no clear licence."""

    game: LevelGame
    alphabet: Alphabet
    training: list[Level]
    held_out: list[Level]
    refused: int

    def sources(self) -> list[dict[str, str | int]]:
        """Corpus, licence and number of levels trained on, for the card."""
        counted = Counter((level.corpus, level.licence) for level in self.training)
        return [{"name": n, "licence": licence, "levels": k} for (n, licence), k in sorted(counted.items())]

    def credits(self) -> str:
        """The authors of the training levels, by corpus and licence, as text."""
        authors: dict[tuple[str, str], set[str]] = {}
        for level in self.training:
            authors.setdefault((level.corpus, level.licence), set()).add(level.author)
        lines = []
        for (corpus, licence), names in sorted(authors.items()):
            named = ", ".join(sorted(names - {""}, key=str.lower))
            lines.append(f"{corpus} ({licence})" + (f": {named}" if named else ""))
        return "\n".join(["Learned from levels of", *lines]) + "\n"


def encode(rows: Sequence[str], alphabet: Alphabet) -> NDArray[np.int64]:
    """Rows of characters to tile numbers (height, width)."""
    numbers = alphabet.numbers()
    return np.array([[numbers[char] for char in row] for row in rows], np.int64)


def decode(tiles: NDArray[np.integer], alphabet: Alphabet) -> list[str]:
    """Tile numbers (height, width) to rows of characters."""
    return ["".join(alphabet.tiles[number] for number in row) for row in tiles]


def read_levels(folder: Path, corpus: str, licence: str) -> Iterable[Level]:
    """Read the levels of one corpus.

    Args:
        folder: the folder of the corpora.
        corpus: the corpus's folder in it.
        licence: of all levels; "" if each level states its own.

    Raises:
        FileNotFoundError: there is no such corpus.
        ValueError: a level is not a rectangle of characters; the message names it.
    """
    path = folder / corpus / "levels.jsonl.gz"
    if not path.exists():
        raise FileNotFoundError(f"no {path}; --data must be the folder that holds the corpora, {corpus} among them")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            name, rows = entry["name"], tuple(entry["rows"])
            if not rows or not rows[0] or len(set(map(len, rows))) != 1:
                raise ValueError(f"{path}: level {name!r} is not a rectangle of tiles")
            # The names of vaults for one place differ only in a last number or letter.
            group = entry.get("group") or re.sub(r"[_ ]*(\d+|[a-z])$", "", name)
            yield Level(name, corpus, group, licence or entry.get("license", ""), rows, entry.get("author", ""))


def load_corpus(folder: Path, game: LevelGame) -> Corpus:
    """Read all corpora of a game. Levels with an empty or unclear licence are left out.

    Raises:
        FileNotFoundError: a corpus is missing.
        ValueError: a level has a character that the legend lacks; the game has a fixed height and a level has another
            one; or no level is left to train on.
    """
    alphabet = read_alphabet(game, folder)
    known = set(alphabet.tiles)
    levels: list[Level] = []
    refused = 0
    lowest, highest = game.sides[1]
    for corpus, licence in game.corpora.items():
        for level in read_levels(folder, corpus, licence):
            if strange := {char for row in level.rows for char in row} - known:
                raise ValueError(f"{corpus}: level {level.name!r} has tiles that legend.json lacks: {sorted(strange)}")
            if lowest == highest != len(level.rows):
                raise ValueError(
                    f"{corpus}: level {level.name!r} has {len(level.rows)} rows; {game.name} is trained on levels of "
                    f"{highest}. Cut them to windows with python -m pcg.levels.corpus.windows --data DIR --out DIR"
                )
            if not licence and not CLEAR_LICENCE.search(level.licence):
                refused += 1
                continue
            levels.append(level)
    training = [level for level in levels if not level.held_out]
    if not training:
        raise ValueError(f"{folder} has no levels of {game.name} to train on")
    return Corpus(game, alphabet, training, [level for level in levels if level.held_out], refused)
