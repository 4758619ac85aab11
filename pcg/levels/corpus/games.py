"""The games that level models are trained for: corpora, alphabet, order of generation, counts.

A level is a rectangle of tiles, one character each. The network generates it line by line. A line is a row, from left
to right; in a game that is played from left to right it is a column, from bottom to top.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.content.levels.custom.game import CustomGame
from runtime.content.levels.dungeon.solver import ENTERED
from runtime.content.levels.games import find_game as rules_of
from runtime.content.levels.rules import Game
from runtime.errors import nearest


@dataclass(frozen=True)
class LevelGame:
    """One game's training set, and how its levels become sequences.

    `corpora`: folder to licence; "" if each level has its own. `names`: tile property to the name of its count.
    `symmetry`: which mirror images are valid levels: all eight, left and right, or none. `sides`: the smallest and the
    largest width, then height, in tiles. `filler`: the tile around a level that is smaller than its rectangle. `cut`:
    share of examples that are a smaller window of a level, for a corpus whose levels all have one size. `due`: counts
    that, if requested, are placed before the level ends. `joined`: the tiles of rooms, if all rooms are to be joined.
    `temperature`: the default, in hundredths; a little below 100 a model makes fewer errors. `limits`: the limits of
    its model, for the card, besides those of all level models. `custom`: the rules of a custom game, which has no
    corpora (pcg/levels/corpus/custom.py).
    """

    name: str
    corpora: Mapping[str, str]
    names: Mapping[str, str]
    symmetry: Literal["all", "mirror", "none"]
    sides: tuple[tuple[int, int], tuple[int, int]]
    by_columns: bool = False
    filler: str = ""
    cut: float = 0.0
    due: tuple[str, ...] = ()
    joined: str = ""
    temperature: int = 100
    limits: tuple[str, ...] = ()
    custom: CustomGame | None = None

    @property
    def model(self) -> str:
        """The model's name."""
        return f"level-{self.name}"

    @property
    def rules(self) -> Game:
        """The game's tiles and rules."""
        return self.custom or rules_of(self.name)


SOKOBAN = LevelGame(
    name="sokoban",
    corpora={"boxoban": "Apache-2.0"},
    names={"pushable": "boxes", "goal": "targets", "start": "players"},
    symmetry="all",
    sides=((5, 10), (5, 10)),
    filler="#",
    temperature=85,
)

DUNGEON = LevelGame(
    name="dungeon",
    corpora={"dcss-vaults": "GPL-2.0-or-later", "nethack-levels": "NetHack General Public License"},
    names={"enemy": "enemies", "collectible": "items", "hazard": "hazards", "start": "entrances", "goal": "exits"},
    symmetry="all",
    sides=((8, 40), (8, 40)),
    joined="".join(sorted(ENTERED)),
)

RUNNER = LevelGame(
    name="runner",
    corpora={"kgoldrunner": "GPL-2.0-or-later"},
    names={"enemy": "enemies", "collectible": "gold", "start": "players", "goal": "hidden_ladders"},
    symmetry="mirror",
    sides=((16, 28), (12, 20)),
    cut=0.3,
    limits=(
        "About one level of twelve is completed as it writes it; the others are repaired, or left out for another.",
        "A level is proved for guards that stay where they start. Whether it can be completed with guards that hunt is "
        "not known.",
        "At difficulty 1.0 a part of the requests is not met. Levels get hard by gold far from the way more than by "
        "digs, of which people's hardest levels have more.",
        "It learned from few levels, so a third of its levels are near copies of one (docs/level-models.md).",
    ),
)

# Trained on windows around the ground that the player walks (pcg/levels/corpus/windows.py), not on whole levels.
PLATFORMER = LevelGame(
    name="platformer",
    corpora={"supertux": ""},
    names={"enemy": "enemies", "collectible": "coins", "hazard": "hazards", "start": "starts", "goal": "goals"},
    symmetry="none",
    due=("goals",),
    sides=((24, 400), (16, 16)),
    by_columns=True,
)

GAMES: Mapping[str, LevelGame] = {game.name: game for game in (PLATFORMER, SOKOBAN, DUNGEON, RUNNER)}


def find_game(name: str) -> LevelGame:
    """The game of that name.

    Raises:
        ValueError: there is no such game; the message names the nearest one.
    """
    if name not in GAMES:
        raise ValueError(f"unknown game {name!r:.80}{nearest(name, GAMES)}")
    return GAMES[name]


@dataclass(frozen=True)
class Alphabet:
    """The tiles of a game in the order of their numbers, and the tiles of each count."""

    tiles: str
    counts: Mapping[str, str]

    def numbers(self) -> dict[str, int]:
        """Character to tile number."""
        return {char: number for number, char in enumerate(self.tiles)}


def read_alphabet(game: LevelGame, folder: Path) -> Alphabet:
    """The alphabet that the legends of the game's corpora agree on.

    A hazard that is an enemy is counted as an enemy only.

    Raises:
        FileNotFoundError: a corpus has no legend.json.
        ValueError: a legend is invalid, or two legends give one character different meanings.
    """
    legend: dict[str, dict[str, Any]] = {}
    for corpus in game.corpora:
        path = folder / corpus / "legend.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        for char, tile in found.items():
            if len(char) != 1 or not isinstance(tile, dict):
                raise ValueError(f"{path}: {char!r} must be one character, and its meaning an object")
            if legend.setdefault(char, tile) != tile:
                raise ValueError(f"{path} gives {char!r} another meaning than the other corpora do")
    counts = {}
    for prop, name in game.names.items():
        chars = [c for c, tile in legend.items() if tile.get(prop) and not (prop == "hazard" and tile.get("enemy"))]
        counts[name] = "".join(chars)
    return Alphabet("".join(legend), counts)
