"""Places the guards of the Lode Runner kind: on the ground beside the solution's path, each with a role.

To the solver guards are air. So only this is guaranteed: the player who makes the moves of the solution passes no tile
that a guard starts on, except fixed guards. How guards move is up to the game.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence, Set

from runtime.content.levels.rules import OFFSETS, TILE, Cell, find, put
from runtime.content.levels.runner.game import RUNNER
from runtime.content.levels.runner.graph import Graph, kinds, step_graph
from runtime.content.levels.runner.replay import path

AHEAD = 3  # steps from a guard to the path, where possible: the player's head start
START = 8  # steps from the player's start to a guard at least, walls ignored
APART = (8, 5, 3)  # steps between guards, walls ignored; the next number where there is no room
CORNER = 3  # rows and columns
EDGE, EDGE_COSTS = 2, 4  # columns at the sides, and the steps that a place there costs extra
FAR = 12  # steps: longer distances count as this


def place_guards(
    rows: Sequence[str], moves: str, count: int | None = None, fixed: Set[Cell] = frozenset(), least: int = 0
) -> list[str]:
    """The level with guards beside the path of its solution.

    A guard stands on ground off the path, from where steps lead to the path; not near the start, and not in a corner.
    Guards that stand like this already stay. The others take turns: one guards gold, one a ladder, one the path, each
    at the nearest place, apart from other guards. Where there is no room for all there are fewer.

    Args:
        rows: the level.
        moves: its solution.
        count: the number of guards; by default as many as the level has.
        fixed: the places of fixed tiles, which stay as they are.
        least: up to so many guards are placed on any ground off the path, if there is no better place.

    Raises:
        IllegalMove, ValueError: as replay.path.
    """
    height, width = len(rows), len(rows[0])
    way = {(y // TILE, x // TILE) for x, y in path(rows, moves)}
    guards = find(rows, "E")
    wanted = len(guards) if count is None else count
    clear = [at for at in find(rows, ".E") if at not in fixed and at not in way and bears(rows, *at)]
    walked = steps_to(step_graph(kinds(rows, False), []), way, width)
    start = steps_from(find(rows, "M"), height, width)
    good = [at for at in clear if at in walked and start[at] >= START and not in_corner(*at, height, width)]
    placed = [at for at in guards if at in fixed]
    placed += [at for at in good if rows[at[0]][at[1]] == "E"][: max(0, wanted - len(placed))]
    roles = [_near(steps_from(find(rows, char), height, width), walked, width) for char in "G#"]
    roles.append(_near(walked, walked, width))
    while len(placed) < wanted:
        best = _best(good, placed, roles[len(placed) % len(roles)], height, width)
        if best is None:
            break
        placed.append(best)
    while len(placed) < least:
        left = [at for at in clear if at not in placed]
        if not left:
            break
        apart = steps_from([*way, *placed], height, width)
        placed.append(max(left, key=lambda at: (apart[at], (-at[0], -at[1]))))
    return put(put(rows, dict.fromkeys(guards, RUNNER.empty)), dict.fromkeys(placed, "E"))


def _near(to: dict[Cell, int], walked: dict[Cell, int], width: int) -> Callable[[Cell], tuple[int, Cell]]:
    """The cost of a place in a role: twice the steps to what it guards, and the deviation of its steps to the path."""

    def cost(at: Cell) -> tuple[int, Cell]:
        edge = EDGE_COSTS if not EDGE <= at[1] < width - EDGE else 0
        return 2 * min(to.get(at, FAR), FAR) + abs(min(walked[at], FAR) - AHEAD) + edge, at

    return cost


def _best(
    places: Sequence[Cell], placed: Sequence[Cell], cost: Callable[[Cell], tuple[int, Cell]], height: int, width: int
) -> Cell | None:
    """The cheapest place far enough from other guards; None where there is none."""
    apart = steps_from(placed, height, width)
    for least in APART:
        free = [at for at in places if apart.get(at, least) >= least]
        if free:
            return min(free, key=cost)
    return None


def in_corner(y: int, x: int, height: int, width: int) -> bool:
    """Whether a place is within a few rows and columns of a corner."""
    return not CORNER <= y < height - CORNER and not CORNER <= x < width - CORNER


def bears(rows: Sequence[str], y: int, x: int) -> bool:
    """Whether a guard can stand there."""
    return y + 1 == len(rows) or rows[y + 1][x] in "bB#"


def steps_from(places: Iterable[Cell], height: int, width: int) -> dict[Cell, int]:
    """Each cell's distance in steps from the nearest of the places, walls ignored."""
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


def steps_to(graph: Graph, places: Iterable[Cell], width: int) -> dict[Cell, int]:
    """Each tile's distance in steps and falls to the nearest of the places, if there is a path; nothing is dug."""
    sources: dict[int, list[int]] = {}
    first, to = graph.first.tolist(), graph.to.tolist()
    for node in range(graph.tiles):
        for target in to[first[node] : first[node + 1]]:
            sources.setdefault(target, []).append(node)
    steps = {y * (width + 2) + x + 1: 0 for y, x in places}
    queue = deque(steps)
    while queue:
        target = queue.popleft()
        for node in sources.get(target, ()):
            if node not in steps:
                steps[node] = steps[target] + 1
                queue.append(node)
    return {divide(node, width): count for node, count in steps.items()}


def divide(node: int, width: int) -> Cell:
    """The row and column of a node of graph.py, in a level so wide."""
    return node // (width + 2), node % (width + 2) - 1
