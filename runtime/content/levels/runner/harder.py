"""Makes a solved level of the Lode Runner kind harder: gold goes where it takes the longest detours and digs, and
ladders lead to parts that could not be reached.

The edits and their order depend on the level alone. Every level that is returned was solved as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.content.levels.graphs import components, distances, reversed_edges
from runtime.content.levels.rules import TILE, Cell, Outcome, Prove, find, put
from runtime.content.levels.runner.game import RUNNER
from runtime.content.levels.runner.graph import Graph, dig_graph, kinds, step_graph
from runtime.content.levels.runner.guards import bears, divide
from runtime.content.levels.runner.measures import DIG_COSTS
from runtime.content.levels.runner.repair import LADDER, STATES, shortest_ladder
from runtime.content.levels.runner.replay import path

ROUNDS = 16  # of edits, each followed by a proof
PIECES = 8  # of gold in each
DETOUR = 3  # steps that a piece takes at least
NEAR = 2  # steps: a piece so near to another one is moved first
PART = 5  # tiles: a smaller part gets no ladder
PARTS = 16  # the largest parts, for which a ladder is tried
LONGEST = 10  # tiles of that ladder
IDLE = 2  # successive ladders that make the level no harder, at most
POCKETS = 4  # dug into bricks at a time
BETWEEN = 5  # steps between two of them

Arrays = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
Measure = Callable[[Sequence[str], Outcome], int]


def harden(
    rows: Sequence[str],
    outcome: Outcome,
    fixed: Set[Cell],
    wanted: tuple[int, int],
    most_gold: int,
    measure: Measure,
    prove: Prove,
) -> tuple[list[str], Outcome] | None:
    """A level as hard as wanted with its solution; None if these edits are not enough.

    Args:
        rows, outcome: the level and its solution.
        fixed: the places of fixed tiles, which stay as they are.
        wanted: the least and the most difficulty, in hundredths.
        most_gold: pieces are added up to this number; then pieces beside others are moved.
        measure: the difficulty of a level with its solution.
        prove: a solver with its budget.
    """
    level, hard = list(rows), measure(rows, outcome)
    ways, edit, idle = _ways(level), 0, 0
    for _ in range(ROUNDS):
        tried = None
        while tried is None:
            if edit == len(EDITS):
                return None
            tried = EDITS[edit](level, outcome, ways, fixed, most_gold)
            edit += tried is None
        found = prove(tried)
        reached = measure(tried, found) if found.status == "solved" else None
        if reached is not None and wanted[0] <= reached <= wanted[1]:
            return tried, found
        joined = EDITS[edit] is _joined
        if reached is None or reached > wanted[1] or (reached <= hard and not joined):
            edit += 1
            continue
        idle = idle + 1 if reached <= hard else 0
        if idle > IDLE:
            return None
        level, outcome, hard = tried, found, reached
        if joined:
            ways, edit = _ways(level), 0
    return None


@dataclass(frozen=True)
class _Ways:
    """The ways of a level without its gold, by steps and digs and by steps alone: arrays (graphs.py) with what each
    edge adds to the labour of a solution. `part`: the strong component of each tile, by steps and digs.
    """

    digs: Arrays
    steps: Arrays
    part: NDArray[np.int32]


def _ways(rows: Sequence[str]) -> _Ways:
    level = kinds(rows, False)
    graph, _ = dig_graph(level, [], STATES)
    return _Ways(_arrays(graph), _arrays(step_graph(level, [])), components(graph.first, graph.to))


def _arrays(graph: Graph) -> Arrays:
    cost = [sum(m != "." for m in moves) + DIG_COSTS * sum(m in "LR" for m in moves) for moves in graph.moves]
    return graph.first, graph.to, np.array(cost, np.int32)


def _way_of(rows: Sequence[str], outcome: Outcome) -> list[int]:
    """The nodes that a solution passes."""
    return sorted({y // TILE * (len(rows[0]) + 2) + x // TILE + 1 for x, y in path(rows, outcome.moves)})


def _main(rows: Sequence[str], outcome: Outcome, ways: _Ways) -> int:
    """The part that a solution passes most tiles of."""
    return int(np.bincount(ways.part[_way_of(rows, outcome)]).argmax())


def _core(rows: Sequence[str], outcome: Outcome, ways: _Ways) -> frozenset[Cell]:
    """The tiles of that part."""
    nodes = np.flatnonzero(ways.part == _main(rows, outcome, ways))
    return frozenset(divide(node, len(rows[0])) for node in nodes.tolist())


def _pocketed(rows: Sequence[str], outcome: Outcome, ways: _Ways, fixed: Set[Cell], most: int) -> list[str] | None:
    """The level with gold in pockets of two tiles within bricks, above a place from which the player gets back. The
    player digs in from the top, and out through the bottom.
    """
    height, width = len(rows), len(rows[0])
    core = _core(rows, outcome, ways)
    room = most - len(find(rows, "G"))
    changed: dict[Cell, str] = {}
    places: list[Cell] = []
    for y in range(1, height - 3):
        for x in range(width):
            for side in (-1, 1):
                out = x + side
                block = [(v, u) for v in range(y, y + 3) for u in (x, out)]
                if len(places) >= min(POCKETS, room) or not 0 <= out < width or fixed & set(block):
                    continue
                if any(rows[v][u] != "b" for v, u in block) or (y + 3, out) not in core:
                    continue
                if rows[y - 1][x] not in RUNNER.empty + "E" or not core & {(y - 1, x - 1), (y - 1, x + 1)}:
                    continue
                if all(abs(v - y) + abs(u - x) >= BETWEEN for v, u in places):
                    places.append((y, x))
                    changed |= {(y + 1, x): RUNNER.empty, (y + 1, out): "G"}
    return put(rows, changed) if changed else None


def _buried(rows: Sequence[str], outcome: Outcome, ways: _Ways, fixed: Set[Cell], most: int) -> list[str] | None:
    """The level with more gold, also where the player has to dig for it."""
    return _spread(rows, outcome, ways.digs, fixed, most)


def _strewn(rows: Sequence[str], outcome: Outcome, ways: _Ways, fixed: Set[Cell], most: int) -> list[str] | None:
    """The level with more gold where the player can walk: less labour, but it seldom becomes unsolvable."""
    return _spread(rows, outcome, ways.steps, fixed, most)


def _spread(rows: Sequence[str], outcome: Outcome, ways: Arrays, fixed: Set[Cell], most: int) -> list[str] | None:
    """The level with more pieces where the detour is longest; None where there is no detour."""
    width = len(rows[0])
    known = np.zeros(len(ways[0]) - 1, np.bool_)
    known[_way_of(rows, outcome)] = True
    backwards, part = reversed_edges(*ways), components(*ways[:2])
    passed = np.isin(part, part[known])  # from these parts one gets to and fro, so that gold there is no trap
    cells = [at for at in find(rows, RUNNER.empty) if at not in fixed and bears(rows, *at)]
    places = np.array([y * (width + 2) + x + 1 for y, x in cells], np.int64)
    gold = find(rows, "G")
    changed: dict[Cell, str] = {}
    for _ in range(PIECES if cells else 0):
        spare = _spare(gold, fixed) if len(gold) >= most else None
        if spare is None and len(gold) >= most:
            break
        there, before = distances(*ways, known)
        back, _ = distances(*backwards, known)
        detours = np.where(passed[places], there[places] + back[places], 0)
        best = int(detours.argmax())  # the first of those as long
        if detours[best] < DETOUR:
            break
        changed[cells[best]] = "G"
        gold.append(cells[best])
        if spare is not None:
            changed[spare] = RUNNER.empty
            gold.remove(spare)
        node = int(places[best])
        while not known[node]:
            known[node] = True
            node = int(before[node])
    return put(rows, changed) if changed else None


def _spare(gold: Sequence[Cell], fixed: Set[Cell]) -> Cell | None:
    """The last of the pieces that lie beside others."""
    for at in sorted(gold, reverse=True):
        if at not in fixed and any(
            other != at and abs(other[0] - at[0]) + abs(other[1] - at[1]) <= NEAR for other in gold
        ):
            return at
    return None


def _joined(rows: Sequence[str], outcome: Outcome, ways: _Ways, fixed: Set[Cell], _most: int) -> list[str] | None:
    """The level with a ladder from the solution's part to the largest part that a ladder can join."""
    width = len(rows[0])
    cells, sizes = _core(rows, outcome, ways), np.bincount(ways.part)
    core = _main(rows, outcome, ways)
    others = [int(n) for n in np.argsort(-sizes, kind="stable")[:PARTS] if n != core and sizes[n] >= PART]
    for other in others:
        part = [divide(node, width) for node in np.flatnonzero(ways.part == other).tolist()]
        ladder = shortest_ladder(rows, fixed, cells, part, LONGEST)
        if ladder is not None:
            return put(rows, dict.fromkeys(ladder, LADDER))
    return None


# One after the other, each as long as it helps; after a ladder from the first again.
EDITS = (_pocketed, _buried, _strewn, _joined)
