"""Cuts platformer levels to windows of 16 rows around the ground that the player walks: the model's training set.

    python -m pcg.levels.corpus.windows --data DIR --out DIR

Most of a SuperTux level is sky or rock (the median has 35 rows). So the solver plays the level, to the goal or as near
to it as it can. Its path is cut into stretches that go in one direction and climb no more than a window's height. Each
stretch becomes a separate level: the columns that it passes, in the rows around it, with the start at its beginning
and the goal at its end. Stretches to the left are mirrored. A window that the solver can't complete, because it needed
what was cut off, is left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy import ndimage

from pcg.levels.corpus.data import CLEAR_LICENCE, Level, read_levels
from runtime.content.levels.platformer.physics import SOLID
from runtime.content.levels.platformer.replay import play
from runtime.content.levels.platformer.solver import approach, solve
from runtime.content.levels.rules import TILE

ROWS = 16
GROUND, SKY = 3, 2  # the least rows of a window below the lowest feet, and above the highest
NARROWEST = 24  # columns
RETREAT = 12  # columns that the path may go back before a stretch ends
AROUND = 2  # columns beyond a stretch's ends
BUDGET = 150_000  # nodes for a level or a window
CORPORA = ("supertux", "supertux-rooms")
MIRRORED = str.maketrans("/\\", "\\/")


@dataclasses.dataclass(frozen=True)
class Step:
    """The position of the player's feet in a tick, in tiles, and whether the player stands."""

    row: int
    column: int
    grounded: bool


def windows(rows: Sequence[str], budget: int = BUDGET) -> list[list[str]]:
    """The windows of a level with one start, in the order of the path; the solver completes each within the budget.

    There are none if the start is enclosed.

    Raises:
        ValueError: rows are no level, as check_rows says.
    """
    rows = with_goal(rows)
    if not any("G" in row for row in rows):
        return []
    found = [window(rows, stretch) for stretch in stretches(way(rows, approach(rows, budget)))]
    return [cut for cut in found if cut and solve(cut, budget).status == "solved"]


def with_goal(rows: Sequence[str]) -> list[str]:
    """The level with a goal in the same area as the start: its own goal, or else the far end of the area.

    Without a goal if the area has only one tile.
    """
    tiles = np.array([list(row) for row in rows])
    parts, _ = ndimage.label(~np.isin(tiles, list(SOLID)))
    row, column = np.argwhere(tiles == "S")[0]
    inside = parts == parts[row, column]
    if not (inside & (tiles == "G")).any():
        tiles[tiles == "G"] = "."
        columns = np.flatnonzero((inside & (tiles != "S")).any(axis=0))
        side = max(columns, key=lambda c: (abs(c - column), c), default=None)
        if side is not None:
            tiles[inside[:, side] & (tiles[:, side] != "S"), side] = "G"
    return ["".join(line) for line in tiles.tolist()]


def way(rows: Sequence[str], moves: str) -> list[Step]:
    """The steps of a path: before the first move, and after each move."""
    return [Step((p.y - 1) // TILE, p.x // TILE, p.grounded) for p in play(rows, moves)]


def stretches(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Parts of a path, each in one direction and within a window's height, without the turns and pauses between."""
    first = 0
    while first < len(steps):
        left = right = steps[first].column
        top = bottom = steps[first].row
        last, end = first, first  # the stretch's farthest step, and its last one
        for number in range(first, len(steps)):
            step = steps[number]
            top, bottom = min(top, step.row), max(bottom, step.row)
            ahead = 1 if right - steps[first].column >= steps[first].column - left else -1
            back = right - step.column if ahead > 0 else step.column - left
            if bottom - top > ROWS - GROUND - SKY - 1 or back > RETREAT:
                break
            if step.column > right or step.column < left:
                left, right, last = min(left, step.column), max(right, step.column), number
            end = number
        yield steps[first : last + 1]
        first = (last if last > first else end) + 1


def window(rows: Sequence[str], stretch: Sequence[Step]) -> list[str] | None:
    """The window of a stretch; None if it is too narrow, or has no place for start and goal."""
    left = max(min(step.column for step in stretch) - AROUND, 0)
    right = min(max(step.column for step in stretch) + AROUND + 1, len(rows[0]))
    if right - left < NARROWEST:
        return None
    bottom = min(max(step.row for step in stretch) + GROUND + 1, len(rows))
    tiles = np.array([list(row[left:right]) for row in rows[max(bottom - ROWS, 0) : bottom]])
    sky = np.where(np.isin(tiles[0], list(SOLID)), tiles[0], ".")
    tiles = np.vstack([*[sky] * (ROWS - len(tiles)), tiles])
    tiles[np.isin(tiles, list("SGD"))] = "."
    top = bottom - ROWS
    ends = [_place(tiles, part, top, left) for part in (stretch, stretch[::-1])]
    if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
        return None
    tiles[ends[0]], tiles[ends[1]] = "S", "G"
    cut = ["".join(line) for line in tiles.tolist()]
    return [line[::-1].translate(MIRRORED) for line in cut] if ends[0][1] > ends[1][1] else cut


def _place(tiles: NDArray[np.str_], steps: Iterable[Step], top: int, left: int) -> tuple[int, int] | None:
    """The tile of the first step on which the player stands on air or a coin; None if there is none."""
    for step in steps:
        row, column = step.row - top, step.column - left
        if step.grounded and 0 <= row < len(tiles) and tiles[row, column] in ".o":
            return row, column
    return None


def windows_of(levels: Iterable[Level]) -> Iterator[Level]:
    """The windows of levels, as levels of the corpus `supertux`, named by their number.

    All get the same corpus because a group can have levels in both corpora: so all windows of a group are held out, or
    none.
    """
    for level in levels:
        for number, rows in enumerate(windows(level.rows)):
            yield dataclasses.replace(level, name=f"{level.name}+{number}", corpus=CORPORA[0], rows=tuple(rows))


def write_windows(data: Path, out: Path) -> int:
    """Cut the corpora in `data` to windows, write the corpus out/supertux, and return the number of windows.

    Levels without a clear licence are left out.

    Raises:
        FileNotFoundError: a corpus is missing.
    """
    levels = [level for corpus in CORPORA for level in read_levels(data, corpus, "")]
    clear = [level for level in levels if CLEAR_LICENCE.search(level.licence)]
    folder = out / CORPORA[0]
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "levels.jsonl.gz.part"
    count = 0
    with gzip.open(partial, "wt", encoding="utf-8") as lines:
        for level in windows_of(track(clear, "cutting windows")):
            about = {"name": level.name, "group": level.group, "license": level.licence, "author": level.author}
            lines.write(json.dumps(about | {"rows": level.rows}) + "\n")
            count += 1
    partial.replace(folder / "levels.jsonl.gz")
    shutil.copyfile(data / CORPORA[0] / "legend.json", folder / "legend.json")
    return count


def main() -> None:
    """Cut the corpora of one folder into another, as the module's docstring says."""
    parser = argparse.ArgumentParser(description="Cut platformer levels to windows of 16 rows for training.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the corpora supertux and supertux-rooms")
    parser.add_argument("--out", type=Path, required=True, help="folder for the corpus supertux, cut")
    options = parser.parse_args()
    print(f"{write_windows(options.data, options.out)} windows", file=sys.stderr)


if __name__ == "__main__":
    main()
