"""Dungeons to learn from: vaults whose rooms are all joined, so that a model learns that every room has a way in.

People drew them as parts of a larger map. In four of ten some room is entered from outside, by a secret way or
diagonally. Those are repaired as a generated level would be: walls opened, small closed rooms filled.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.content.levels import dungeon
from runtime.content.levels.dungeon_places import place_stairs
from runtime.content.levels.dungeon_repair import mend
from runtime.content.levels.rules import put

MOST_CHANGED = 10  # tiles; a vault that needs more is no dungeon of its own


def joined(rows: Sequence[str], sides: tuple[tuple[int, int], tuple[int, int]]) -> list[str] | None:
    """The level with every room reached, its stairs as they were.

    None for one without floor, one whose rooms can't be joined with a few changes, and one larger than `sides` (widths,
    heights), since a window of it would have closed rooms.
    """
    (_, width), (_, height) = sides
    if len(rows[0]) > width or len(rows) > height:
        return None
    try:
        placed = place_stairs(rows)
    except ValueError:  # no floor for them
        return None
    if dungeon.solve(placed).status == "solved" and not dungeon.unreached(placed):
        return list(rows)
    mended = mend(placed, frozenset(), dungeon.solve)
    if mended is None:
        return None
    cells = [(y, x) for y in range(len(rows)) for x in range(len(rows[0]))]
    changed = {(y, x) for y, x in cells if mended[0][y][x] != placed[y][x]}
    return put(rows, {(y, x): mended[0][y][x] for y, x in changed}) if len(changed) <= MOST_CHANGED else None
