"""A user's folder of a custom game, from the blocks of docs/custom-games.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

DOCUMENT = (Path(__file__).parents[2] / "docs" / "custom-games.md").read_text()


def block(language: str) -> str:
    """The document's first block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found
    return found[1]


LEGEND: dict[str, Any] = json.loads(block("json"))
FIRST = block("text")


def write_folder(folder: Path, legend: dict[str, Any] | None = None, count: int = 14) -> Path:
    """The document's level, and others like it."""
    folder.mkdir()
    (folder / "legend.json").write_text(json.dumps(legend or LEGEND))
    (folder / "first.txt").write_text(FIRST + "\n")
    rng = np.random.default_rng(0)
    for number in range(count - 1):
        tiles = np.array([list(row) for row in FIRST.splitlines()])
        for char in "*^":
            tiles[rng.integers(1, 4), rng.integers(0, 12)] = char
        (folder / f"level{number}.txt").write_text("\n".join("".join(row) for row in tiles))
    return folder
