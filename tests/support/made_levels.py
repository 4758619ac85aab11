"""Makes corpora of levels for tests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SOKOBAN_LEGEND = {
    "#": {"meaning": "wall", "solid": True},
    " ": {"meaning": "floor"},
    "@": {"meaning": "player", "start": True},
    "$": {"meaning": "box", "solid": True, "pushable": True},
    ".": {"meaning": "target", "goal": True},
}
DUNGEON_LEGEND = {
    "-": {"meaning": "void", "solid": True},
    "#": {"meaning": "wall", "solid": True},
    ".": {"meaning": "floor"},
    "L": {"meaning": "lava", "hazard": True},
    "M": {"meaning": "monster", "hazard": True, "enemy": True},
    "i": {"meaning": "item", "collectible": True},
    "<": {"meaning": "stairs up", "start": True},
    ">": {"meaning": "stairs down", "goal": True},
}

PLATFORMER_LEGEND = {
    ".": {"meaning": "air"},
    "#": {"meaning": "ground", "solid": True},
    "o": {"meaning": "coin", "collectible": True},
    "^": {"meaning": "spikes", "hazard": True},
    "e": {"meaning": "enemy", "hazard": True, "enemy": True},
    "S": {"meaning": "start", "start": True},
    "G": {"meaning": "goal", "goal": True},
}

RUNNER_LEGEND = {
    ".": {"meaning": "air"},
    "b": {"meaning": "brick", "solid": True, "diggable": True},
    "B": {"meaning": "stone", "solid": True},
    "#": {"meaning": "ladder"},
    "H": {"meaning": "hidden ladder", "goal": True},
    "G": {"meaning": "gold", "collectible": True},
    "E": {"meaning": "guard", "hazard": True, "enemy": True},
    "M": {"meaning": "player", "start": True},
}


def write_corpus(folder: Path, legend: Mapping[str, Any], levels: Sequence[Mapping[str, Any]]) -> None:
    """A corpus of tile levels in the data folder's format."""
    folder.mkdir(parents=True)
    (folder / "legend.json").write_text(json.dumps(legend))
    with gzip.open(folder / "levels.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(level) + "\n" for level in levels)


def room(rng: np.random.Generator, width: int, height: int, inside: str, floor: str) -> list[str]:
    """A walled room of floor with some tiles in it."""
    tiles = np.full((height, width), "#")
    tiles[1:-1, 1:-1] = floor
    places = rng.permutation((height - 2) * (width - 2))[: len(inside)]
    for place, char in zip(places, inside, strict=True):
        tiles[1 + place // (width - 2), 1 + place % (width - 2)] = char
    return ["".join(row) for row in tiles]


def floors(rng: np.random.Generator) -> list[str]:
    """A level of the Lode Runner kind: four floors with a ladder between two, gold, a guard, a way out on the left."""
    tiles = np.full((16, 20), ".")
    tiles[3::4] = "b"
    for floor in (3, 7, 11):
        tiles[floor : floor + 4, rng.integers(2, 20)] = "#"
        tiles[floor + 3, rng.permutation(18)[:2] + 2] = "G"
    tiles[:3, 0] = "H"
    for row, char in ((2, "M"), (6, "E")):
        tiles[row, rng.choice(np.flatnonzero(tiles[row] == "."))] = char
    return ["".join(row) for row in tiles]


def hills(rng: np.random.Generator, width: int) -> list[str]:
    """A platformer level of 16 rows: ground that rises and falls, a coin and an enemy, start and goal."""
    heights = np.clip(3 + np.cumsum(rng.integers(-1, 2, width)), 1, 8)
    tiles = np.full((16, width), ".")
    for x, height in enumerate(heights):
        tiles[16 - height :, x] = "#"
    for x, char in ((1, "S"), (width // 3, "o"), (width // 2, "e"), (width - 2, "G")):
        tiles[15 - heights[x], x] = char
    return ["".join(row) for row in tiles]
