"""The dungeon's solver, and the rooms that nobody can reach (docs/levels.md)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush

from runtime.content.levels.dungeon.game import DUNGEON
from runtime.content.levels.rules import OFFSETS, Cell, Outcome, check_rows, find, traced
from runtime.content.levels.watch import EVERY, look, watched

State = tuple[int, int, bool]  # row, column, whether the player has a key
ENTERED = frozenset(c for c, tile in DUNGEON.tiles.items() if not tile.solid and c != "L")
HURTS = frozenset(c for c in ENTERED if DUNGEON.tiles[c].hazard)


def solve(rows: Sequence[str], budget: int = DUNGEON.budget) -> Outcome:
    """Find the path from the start to a goal through the fewest monsters and traps; of several, the shortest.

    Dijkstra's algorithm over places, each with and without a key; `budget`: how many of these to search.

    Raises:
        ValueError: rows are no level.
    """
    check_rows(DUNGEON, rows)
    start = (*find(rows, "<")[0], False)
    came: dict[State, tuple[State, str]] = {start: (start, "")}
    waiting = [(0, 0, start)]  # hurts, steps, state
    best = {start: (0, 0)}
    numbers, nodes = watched(), 0
    while waiting:
        hurts, steps, state = heappop(waiting)
        if best[state] < (hurts, steps):
            continue
        if nodes == budget:
            return Outcome("unknown", "", nodes, f"no way down among the nearest {budget} places")
        nodes += 1
        if nodes % EVERY == 0:
            look(numbers, nodes)
        if rows[state[0]][state[1]] == ">":
            why = f"{steps} steps, through {hurts} monsters or traps, the fewest there are"
            return Outcome("solved", traced(came, state), nodes, why)
        for move, following in _steps(rows, state):
            cost = hurts + (rows[following[0]][following[1]] in HURTS), steps + 1
            if following not in best or cost < best[following]:
                best[following] = cost
                came[following] = state, move
                heappush(waiting, (*cost, following))
    why = f"none of the {len({s[:2] for s in best})} tiles that can be reached is stairs down"
    if find(rows, "D") and _open(rows):
        why += "; a key that can be reached would do"
    return Outcome("unsolvable", "", nodes, why)


def reached(rows: Sequence[str], starts: Sequence[Cell], has_key: bool = False) -> dict[Cell, int]:
    """Each tile that can be reached from one of `starts`, with the number of steps. Locked doors need a key."""
    steps: dict[State, int] = {(y, x, has_key or rows[y][x] == "k"): 0 for y, x in starts}
    distance: dict[Cell, int] = {}
    queue = deque(steps)
    while queue:
        state = queue.popleft()
        distance.setdefault(state[:2], steps[state])
        for _, following in _steps(rows, state):
            if following not in steps:
                steps[following] = steps[state] + 1
                queue.append(following)
    return distance


def places(start: Cell, moves: str) -> list[Cell]:
    """The cells of a player who makes these moves from `start`: before the first and after each."""
    passed = [start]
    for move in moves:
        (y, x), (dy, dx) = passed[-1], OFFSETS[move]
        passed.append((y + dy, x + dx))
    return passed


def unreached(rows: Sequence[str]) -> list[list[Cell]]:
    """Rooms that can't be reached from the start: areas of adjacent enterable tiles, the largest first.

    Raises:
        ValueError: rows are no level.
    """
    check_rows(DUNGEON, rows)
    known = reached(rows, find(rows, "<"))
    return sorted(areas(rows, set(known)), key=len, reverse=True)


def areas(rows: Sequence[str], without: set[Cell]) -> Iterator[list[Cell]]:
    """Areas of adjacent enterable tiles, locked doors included, without the cells in `without`."""
    seen = set(without)
    for cell in find(rows, "".join(ENTERED)):
        if cell not in seen:
            area = list(reached(rows, [cell], has_key=True))
            yield [other for other in area if other not in seen]
            seen.update(area)


def _steps(rows: Sequence[str], state: State) -> Iterator[tuple[str, State]]:
    """The player's moves, and the state after each."""
    y, x, has_key = state
    for move, (dy, dx) in OFFSETS.items():
        row, column = y + dy, x + dx
        if 0 <= row < len(rows) and 0 <= column < len(rows[0]):
            char = rows[row][column]
            if char in ENTERED and (has_key or char != "D"):
                yield move, (row, column, has_key or char == "k")


def _open(rows: Sequence[str]) -> bool:
    """Whether there is a path if no door is locked."""
    known = reached(rows, find(rows, "<"), has_key=True)
    return any(rows[y][x] == ">" for y, x in known)
