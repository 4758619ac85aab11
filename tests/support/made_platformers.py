"""Platformer levels to test with: any tiles anywhere, and ground that only rises and falls by slopes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from runtime.content.levels.platformer.game import PLATFORMER
from runtime.content.levels.platformer.solver import LETTERS

MIRROR = str.maketrans("/\\", "\\/")

KEYS = st.lists(st.tuples(st.sampled_from(LETTERS), st.integers(1, 9)), max_size=12).map(
    lambda held: "".join(letter * ticks for letter, ticks in held)
)


@st.composite
def worlds(draw: st.DrawFn) -> list[str]:
    """A small level with any tiles anywhere; most of it is air and ground."""
    width, height = draw(st.integers(3, 14)), draw(st.integers(2, 9))
    tiles = "." * 12 + "#" * 6 + "//\\\\==~H" + "".join(PLATFORMER.tiles).replace("S", "").replace("G", "")
    cells = draw(st.lists(st.sampled_from(tiles), min_size=width * height, max_size=width * height))
    start, goal = draw(st.permutations(range(width * height)))[:2]
    cells[start], cells[goal] = "S", "G"
    return ["".join(cells[y * width : (y + 1) * width]) for y in range(height)]


@st.composite
def hillsides(draw: st.DrawFn) -> list[str]:
    """A level that can be walked through: flat pieces, and slopes of 1 to 4 tiles that follow each other in any order.

    Its ends are flat. The ceiling of a column is one to three tiles over the highest ground of that column and those
    beside it. The start is anywhere on the ground, the goal in the sky.
    """
    pieces = draw(st.lists(st.tuples(st.sampled_from("//\\#"), st.integers(1, 4)), min_size=1, max_size=6))
    columns = [("#", 0)] * 3  # the top tile of each, and its row counted from the lowest upwards
    ground = 0  # the row of a flat top tile
    for char, run in pieces:
        row = ground + 1 if char == "/" else ground
        columns += [(char, row)] * run
        ground += {"/": 1, "\\": -1, "#": 0}[char]
    columns += [("#", ground)] * 3
    tops = np.array([row for _, row in columns])
    tops -= tops.min()
    highest = np.maximum(np.maximum(tops, np.append(tops[1:], tops[-1])), np.append(tops[0], tops[:-1]))
    ceilings = highest + 1 + draw(st.lists(st.integers(1, 3), min_size=len(tops), max_size=len(tops)))
    height = int(ceilings.max()) + 2
    rows = [
        [
            "#" if row < top or row >= ceiling else char if row == top else "."
            for (char, _), top, ceiling in zip(columns, tops.tolist(), ceilings.tolist(), strict=True)
        ]
        for row in range(height - 1, -1, -1)
    ]
    start = draw(st.integers(0, len(columns) - 1))
    rows[height - 2 - int(tops[start])][start] = "S"
    sky = [["."] * len(columns) for _ in range(2)]
    sky[0][0] = "G"
    return ["".join(row) for row in sky + rows]


def mirrored(rows: Sequence[str]) -> list[str]:
    """The level with left and right exchanged."""
    return [row[::-1].translate(MIRROR) for row in rows]
