"""Small edits that make a level complete, or one that can be completed. A tile that is given is never touched.

Every rule here is the same for everyone: what is tried, in which order, and how often, follows from the level alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import islice

import numpy as np

from runtime.content.levels import dungeon
from runtime.content.levels.dungeon import Cell
from runtime.content.levels.dungeon_places import place_stairs
from runtime.content.levels.possible import open_cells
from runtime.content.levels.rules import DUNGEON, Outcome, find
from runtime.content.levels.sokoban_search import FAR, push_distances

TRIES = 48  # levels of Sokoban that are looked at, at most, to mend one
REACH = 3  # tiles that a box or target is moved, at most
OPENED = 3  # walls opened for one way, at most
POCKET = 4  # tiles: a closed room so small is filled
ROOMS = 24  # closed rooms of a dungeon that are mended, at most
WAYS = ((-1, 0), (1, 0), (0, -1), (0, 1))
Prove = Callable[[Sequence[str]], Outcome]


def put(rows: Sequence[str], tiles: Mapping[Cell, str]) -> list[str]:
    """The rows with other tiles in some places."""
    changed = [list(row) for row in rows]
    for (y, x), char in tiles.items():
        changed[y][x] = char
    return ["".join(row) for row in changed]


def arrange_sokoban(rows: Sequence[str], kept: Set[Cell], pairs: int) -> list[str]:
    """The level with one player and so many boxes and targets: those too many become floor, the last ones first; those
    that are missing go to the first floor with floor on two opposite sides.

    Raises:
        ValueError: there is no floor for them, or too many are given.
    """
    for char, count in (("@", 1), ("$", pairs), (".", pairs)):
        found = find(rows, char)
        spare = [cell for cell in found if cell not in kept][::-1][: max(0, len(found) - count)]
        rows = put(rows, dict.fromkeys(spare, " "))
        for _ in range(count - len(find(rows, char))):
            floor = [cell for cell in find(rows, " ") if cell not in kept and _roomy(rows, cell)]
            if not floor:
                raise ValueError(f"no floor for {char!r}")
            rows = put(rows, {floor[0]: char})
        if len(find(rows, char)) != count:
            raise ValueError(f"too many {char!r} are given")
    return list(rows)


def _roomy(rows: Sequence[str], cell: Cell) -> bool:
    """Whether something in the cell could be pushed."""
    y, x = cell

    def open_(v: int, u: int) -> bool:
        return 0 <= v < len(rows) and 0 <= u < len(rows[0]) and rows[v][u] != "#"

    return (open_(y - 1, x) and open_(y + 1, x)) or (open_(y, x - 1) and open_(y, x + 1))


def mend_sokoban(rows: Sequence[str], kept: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    """The level with boxes that no target can be reached from moved to the nearest floor from which one can be; and if
    that is not enough, with one more box, a target or the player moved. None if nothing of it helps.
    """
    mended = _off_dead_squares(rows, kept)
    for tried in islice(_moved(mended, kept), TRIES):
        if tried != rows and (outcome := prove(tried)).status == "solved":
            return tried, outcome
    return None


def _alive(rows: Sequence[str]) -> set[Cell]:
    """Where a box that is alone can be pushed to some target from."""
    neighbours, places = open_cells(list(rows))
    targets = np.array([cell for cell, (y, x) in enumerate(places) if rows[y][x] in ".*+"], np.int32)
    distances = push_distances(neighbours, targets)
    return {place for cell, place in enumerate(places) if distances[:, cell].min(initial=FAR) < FAR}


def _off_dead_squares(rows: Sequence[str], kept: Set[Cell]) -> list[str]:
    alive = _alive(rows)
    for box in find(rows, "$"):
        if box in alive or box in kept:
            continue
        floor = [cell for cell in _near(rows, box, kept) if cell in alive]
        if floor:
            rows = put(rows, {box: " ", floor[0]: "$"})
    return list(rows)


def _near(rows: Sequence[str], cell: Cell, kept: Set[Cell]) -> list[Cell]:
    """Floor that may become something else, the nearest first, then in reading order."""
    y, x = cell
    able = [(abs(v - y) + abs(u - x), (v, u)) for v, u in find(rows, " ") if (v, u) not in kept]
    return [place for away, place in sorted(able) if away <= REACH]


def _moved(rows: Sequence[str], kept: Set[Cell]) -> Iterator[list[str]]:
    """The level, and then versions of it with one thing moved: the player to where it can't walk, a box or a target by
    one tile, by two, ...
    """
    yield list(rows)
    alive = _alive(rows)
    (player,) = find(rows, "@")
    if player not in kept:
        seen = _walked(rows, player)
        for cell in find(rows, " "):
            if cell not in seen and cell not in kept:
                seen |= _walked(rows, cell)
                yield put(rows, {player: " ", cell: "@"})
    moves = []
    for kind, char in enumerate("$."):
        for thing in find(rows, char):
            for cell in _near(rows, thing, kept) if thing not in kept else []:
                if char == "." or cell in alive:
                    away = abs(cell[0] - thing[0]) + abs(cell[1] - thing[1])
                    moves.append((away, kind, thing, cell, char))
    for _, _, thing, cell, char in sorted(moves):
        yield put(rows, {thing: " ", cell: char})


def _walked(rows: Sequence[str], start: Cell) -> set[Cell]:
    """Where a player can walk to without a push."""
    seen, queue = {start}, deque([start])
    while queue:
        y, x = queue.popleft()
        for dy, dx in WAYS:
            v, u = y + dy, x + dx
            inside = 0 <= v < len(rows) and 0 <= u < len(rows[0])
            if inside and (v, u) not in seen and rows[v][u] not in "#$*":
                seen.add((v, u))
                queue.append((v, u))
    return seen


def arrange_dungeon(rows: Sequence[str], kept: Set[Cell]) -> list[str]:
    """The level with one start and a goal, placed by rule where they are missing. Raises ValueError without floor."""
    placed = place_stairs(rows, kept)
    if any(placed[y][x] != rows[y][x] for y, x in kept):
        raise ValueError("the stairs would take the place of what is given")
    return placed


def mend_dungeon(rows: Sequence[str], kept: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    """The level with walls opened, a few for a way: from the start to a goal, and to every closed room; closed rooms of
    a few tiles are filled. None if that is not enough.
    """
    start = find(rows, "<")
    known = dungeon.reached(rows, start)
    goals = set(find(rows, ">"))
    if not goals & known.keys():
        way = _way(rows, start, goals, kept)
        if way is None:
            return None
        rows = _open(rows, way)
    for _ in range(ROOMS):
        closed = dungeon.unreached(rows)
        if not closed:
            break
        room = closed[0]
        way = _way(rows, room, dungeon.reached(rows, start).keys(), kept)
        if way is not None:
            rows = _open(rows, way)
        elif len(room) <= POCKET and not kept & set(room) and not goals & set(room):
            rows = put(rows, dict.fromkeys(room, "#"))
        else:
            return None
    outcome = prove(rows)
    return (list(rows), outcome) if outcome.status == "solved" and not dungeon.unreached(rows) else None


def _way(rows: Sequence[str], starts: Sequence[Cell], ends: Set[Cell], kept: Set[Cell]) -> list[Cell] | None:
    """What must be opened on the way that needs the fewest openings; None if it needs more than OPENED."""
    came: dict[Cell, Cell | None] = dict.fromkeys(starts)
    cost = dict.fromkeys(starts, 0)
    queue = deque(starts)
    done: set[Cell] = set()
    while queue:
        cell = queue.popleft()
        if cell in done:
            continue
        done.add(cell)
        if cell in ends:
            opened = []
            at: Cell | None = cell
            while at is not None:
                if rows[at[0]][at[1]] not in dungeon.ENTERED:
                    opened.append(at)
                at = came[at]
            return opened
        for dy, dx in WAYS:
            y, x = cell[0] + dy, cell[1] + dx
            if not (0 <= y < len(rows) and 0 <= x < len(rows[0])):
                continue
            shut = rows[y][x] not in dungeon.ENTERED
            total = cost[cell] + shut
            if (shut and (y, x) in kept) or total > OPENED or total >= cost.get((y, x), OPENED + 1):
                continue
            cost[y, x], came[y, x] = total, cell
            if shut:
                queue.append((y, x))
            else:
                queue.appendleft((y, x))
    return None


def _open(rows: Sequence[str], cells: Sequence[Cell]) -> list[str]:
    """Doors in walls, floor in place of all else."""
    return put(rows, {(y, x): "+" if rows[y][x] == "#" else DUNGEON.empty for y, x in cells})
