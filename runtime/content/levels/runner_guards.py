"""Guards for a solved level of the Lode Runner kind, where the solution keeps clear of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence, Set

from runtime.content.levels.rules import OFFSETS, RUNNER, TILE, Cell, find, put
from runtime.content.levels.runner_replay import path

CLEAR = 3  # steps from the nearest tile of the way, across whatever is between, that a guard stands at least


def place_guards(rows: Sequence[str], moves: str, count: int | None = None, kept: Set[Cell] = frozenset()) -> list[str]:
    """The level with `count` guards (by default as many as it has) on ground or ladders away from a solution's way.

    Guards that stand so already stay, the first of them if there are more; others go where they are farthest from the
    way and from each other. Where there is no room for all there are fewer. They start there: how a game moves them is
    its own affair, and no part of the proof. Tiles in `kept` stay as they are, guards among them.

    Raises:
        IllegalMove, ValueError: as runner_replay.path.
    """
    way = {(y // TILE, x // TILE) for x, y in path(rows, moves)}
    guards = find(rows, "E")
    wanted = len(guards) if count is None else count
    away = steps_from(way, len(rows), len(rows[0]))
    spots = [at for at in find(rows, ".E") if at not in kept and away[at] >= CLEAR and bears(rows, *at)]
    placed = [at for at in guards if at in kept]
    placed += [at for at in spots if rows[at[0]][at[1]] == "E"][: max(0, wanted - len(placed))]
    while len(placed) < wanted:
        apart = steps_from([*way, *placed], len(rows), len(rows[0]))
        best = max(spots, key=lambda at: (apart[at], (-at[0], -at[1])), default=None)
        if best is None or apart[best] == 0:
            break
        placed.append(best)
    return put(put(rows, dict.fromkeys(guards, RUNNER.empty)), dict.fromkeys(placed, "E"))


def bears(rows: Sequence[str], y: int, x: int) -> bool:
    """Whether a guard stands there rather than falls."""
    return y + 1 == len(rows) or rows[y + 1][x] in "bB#"


def steps_from(places: Iterable[Cell], height: int, width: int) -> dict[Cell, int]:
    """Steps from the nearest of the places to each, whatever is between."""
    steps = dict.fromkeys(places, 0)
    queue = deque(steps)
    while queue:
        y, x = queue.popleft()
        for dy, dx in OFFSETS.values():
            at = y + dy, x + dx
            if 0 <= at[0] < height and 0 <= at[1] < width and at not in steps:
                steps[at] = steps[y, x] + 1
                queue.append(at)
    return steps
