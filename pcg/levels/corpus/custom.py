"""A custom game as a corpus: reads the levels and the legend from a user's folder (docs/custom-games.md)."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pcg.levels.corpus.data import Corpus, Level
from pcg.levels.corpus.games import Alphabet, LevelGame
from pcg.levels.corpus.lengths import least_and_tenth
from pcg.progress import progress
from pcg.writers.levels.values import read_json
from runtime.content.levels.custom.game import CustomGame, counted
from runtime.content.levels.games import custom_game, kit_of
from runtime.content.levels.rules import find, goals_of, starts_of
from runtime.content.levels.solving import prove

LEGEND = "legend.json"
FEWEST = 10  # levels
SMALLEST, LARGEST = 4, 400  # tiles a side


def load_custom(folder: Path) -> Corpus:
    """Read the levels of a custom game: one level in each *.txt file of the folder, and the game in legend.json.

    Adds what it measures on the levels to the legend: the number of goals, the areas of starts and goals, the deciles
    of the labour, and the lengths of the solutions. Prints to stderr how many levels can be completed.

    Raises:
        FileNotFoundError: the folder has no legend.
        ValueError: a file is wrong (the message names it), there are too few levels, or none can be completed.
    """
    path = folder / LEGEND
    if not path.exists():
        raise FileNotFoundError(f"no {path}; a folder of a custom game has {LEGEND}, as docs/custom-games.md says")
    try:
        game = custom_game(read_json(path.read_bytes(), "this"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    levels = [
        Level(file.stem, game.name, file.stem, game.legend.licence, tuple(read_rows(file, game)))
        for file in sorted(folder.glob("*.txt"))
    ]
    if len(levels) < FEWEST:
        raise ValueError(f"{folder} has {len(levels)} levels (*.txt); a model needs at least {FEWEST} to learn from")
    goals = {len(find(level.rows, goals_of(game))) for level in levels}
    learned = {
        "goals": min(goals) if len(goals) == 1 else 0,
        "start_area": area(levels, starts_of(game), game.legend.mirror),
        "goal_area": area(levels, goals_of(game), game.legend.mirror),
    }
    game = custom_game(msgspec.to_builtins(game.legend) | learned | measured(game, levels))
    about = {"legend": msgspec.to_builtins(game.legend), "sides": sides_of(levels, square=game.legend.mirror == "all")}
    training = [level for level in levels if not level.held_out] or levels
    alphabet = Alphabet("".join(game.tiles), counted(game))
    return Corpus(custom_level_game(about), alphabet, training, [level for level in levels if level.held_out], 0)


def custom_level_game(about: dict[str, Any]) -> LevelGame:
    """The game to train, from what a run notes about its data: `legend`, and `sides` of the levels."""
    game = custom_game(about["legend"])
    (narrowest, widest), (lowest, highest) = about["sides"]
    symmetry = {"none": "none", "sideways": "mirror", "all": "all"}[game.legend.mirror]
    return LevelGame(
        name=game.name,
        corpora={},
        names={},
        symmetry=symmetry,  # type: ignore[arg-type]
        sides=((narrowest, widest), (lowest, highest)),
        by_columns=game.legend.order == "columns",
        custom=game,
    )


def read_rows(path: Path, game: CustomGame) -> list[str]:
    """Read a level: one character is a tile, one line is a row. Empty lines at the end are ignored.

    If a space is a tile, short lines are padded with spaces, since editors remove them from line ends.

    Raises:
        ValueError: the file is no level of the game; the message says file, line and column.
    """
    try:
        rows = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text: {error}") from error
    while rows and not rows[-1].strip():
        rows.pop()
    if " " in game.tiles:
        width = max(map(len, rows), default=0)
        rows = [row.ljust(width) for row in rows]
    for y, row in enumerate(rows):
        for x, char in enumerate(row):
            if char not in game.tiles:
                there = "".join(game.tiles)
                raise ValueError(f"{path}, line {y + 1}, column {x + 1}: {char!r} is no tile of {LEGEND}: {there!r}")
        if len(row) != len(rows[0]):
            raise ValueError(f"{path}, line {y + 1} has {len(row)} tiles, line 1 has {len(rows[0])}; all need as many")
    sides = [len(rows), len(rows[0]) if rows else 0]
    if not SMALLEST <= min(sides) <= max(sides) <= LARGEST:
        raise ValueError(f"{path} has {sides[1]}x{sides[0]} tiles; {SMALLEST} to {LARGEST} a side are allowed")
    for what, chars, most in (("start", starts_of(game), 1), ("goal", goals_of(game), max(sides) ** 2)):
        if not 1 <= (count := len(find(rows, chars))) <= most:
            raise ValueError(f"{path} has {count} of the tile {chars!r}; a level has one {what}")
    return rows


def measured(game: CustomGame, levels: Sequence[Level]) -> dict[str, list[int]]:
    """Measure the levels that can be completed.

    Returns:
        `tenths`: the least labour, its nine deciles, and the most; `lengths`: the least length of a solution, and the
        length of the first decile.

    Raises:
        ValueError: no level can be completed.
    """
    kit = kit_of(game)
    labours, lengths, why = [], [], ""
    with progress("completing levels", len(levels)) as advance:
        for level in levels:
            outcome = prove(game, level.rows, game.budget)
            if outcome.status == "solved":
                labours.append(kit.labour(level.rows, outcome.moves))
                lengths.append(kit.length(level.rows, outcome.moves))
            else:
                why = why or f"{level.name}: {outcome.why}"
            advance(1)
    if not labours:
        raise ValueError(f"none of the {len(levels)} levels can be completed as the legend has it; {why}")
    rest = f"; {why}" if why else ""
    print(f"{len(labours)} of {len(levels)} levels can be completed as the legend has it{rest}", file=sys.stderr)
    tenths = [int(np.quantile(labours, tenth / 10)) for tenth in range(11)]
    return {"tenths": tenths, "lengths": list(least_and_tenth(lengths))}


def area(levels: Sequence[Level], chars: str, mirror: str) -> list[int]:
    """The area of these tiles in eight of ten levels: left, top, right, bottom.

    In hundredths of the distance from the first column or row to the last. With `mirror`, the mirror images of the
    levels count as well.
    """
    across, down = [], []
    for level in levels:
        last_row, last_column = len(level.rows) - 1, len(level.rows[0]) - 1
        for y, x in find(level.rows, chars):
            across.append(100 * x / last_column)
            down.append(100 * y / last_row)
    if mirror != "none":
        across += [100 - place for place in across]
    if mirror == "all":
        down += [100 - place for place in down]
        across = down = across + down
    (left, right), (top, bottom) = (np.quantile(places, (0.1, 0.9)) for places in (across, down))
    return [math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)]


def sides_of(levels: Sequence[Level], *, square: bool) -> list[list[int]]:
    """The smallest and the largest width, then height; one range for both if levels are transposed (`square`)."""
    widths, heights = [len(level.rows[0]) for level in levels], [len(level.rows) for level in levels]
    if square:
        widths = heights = widths + heights
    return [[min(widths), max(widths)], [min(heights), max(heights)]]
