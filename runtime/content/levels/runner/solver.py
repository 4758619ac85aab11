"""The solver of the Lode Runner kind: take all gold, then reach the top row. docs/levels.md has the rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from runtime.content.levels.graphs import components, nearest
from runtime.content.levels.rules import IllegalMove, Outcome, check_rows, find
from runtime.content.levels.runner.game import RUNNER
from runtime.content.levels.runner.graph import Graph, closing, dig_graph, kinds, relaxed_graph, step_graph
from runtime.content.levels.runner.replay import replay
from runtime.content.levels.watch import EVERY, look, watched

TRIALS = 20  # pieces of gold tried as the last, and waits tried to leave out


def solve(rows: Sequence[str], budget: int = RUNNER.budget) -> Outcome:
    """Fetch all gold and reach the top row, or prove that it can't be done. Guards count as air.

    `budget`: the nodes of the level's graph and the states of digging that it may search.

    >>> solve(["..#....", "M.#..G.", "bbbbbbb"]).moves
    'rrrrrlllu'

    Raises:
        ValueError: rows are no level, as check_rows says.
    """
    check_rows(RUNNER, rows)
    level = _Level(rows, budget)
    if why := _impossible(level):
        return Outcome("unsolvable", "", level.nodes, why)
    moves = _complete(level)
    if moves is not None:
        return Outcome("solved", _hurried(rows, moves), level.nodes, f"{len(level.gold)} pieces of gold")
    out = level.nodes >= budget
    why = f"the budget of {budget} nodes ran out" if out else "no way of digging was found that fetches all gold"
    return Outcome("unknown", "", level.nodes, why)


def impossible(rows: Sequence[str]) -> str:
    """Why the level can't be completed, with any digging; "" if that isn't proved. Raises ValueError as solve."""
    check_rows(RUNNER, rows)
    return _impossible(_Level(rows, RUNNER.budget))


@dataclass
class _Level:
    """A level's places as nodes of its graphs, and the nodes searched so far."""

    rows: Sequence[str]
    budget: int
    nodes: int = 0
    width: int = field(init=False)
    start: int = field(init=False)
    gold: list[int] = field(init=False)
    top: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.width = len(self.rows[0]) + 2
        self.start = self._nodes("M")[0]
        self.gold = self._nodes("G")
        self.top = list(range(1, self.width - 1))

    def _nodes(self, char: str) -> list[int]:
        return [row * self.width + column + 1 for row, column in find(self.rows, char)]

    def place(self, node: int) -> str:
        """A node in words."""
        return f"row {node // self.width}, column {node % self.width - 1}"

    def way(self, graph: Graph, source: int, wanted: Collection[int]) -> list[int] | None:
        """The edges of the quickest way from a node to one of those wanted; None without one, or without budget."""
        if self.nodes >= self.budget:
            return None
        if source in wanted:
            return []
        mask = np.zeros(len(graph.first) - 1, np.bool_)
        mask[list(wanted)] = True
        edges, looked = nearest(graph.first, graph.to, graph.ticks, source, mask)
        self.nodes += looked
        return edges.tolist() or None


def _impossible(level: _Level) -> str:
    """Why even a graph that allows more than the rules has no way to fetch the gold and leave, or ""."""
    relaxed = relaxed_graph(level.rows, level.gold)
    component = components(relaxed.first, relaxed.to)
    pieces = sorted(level.gold, key=lambda piece: -component[piece])  # edges lead to smaller numbers
    for before, after in pairwise([level.start, *pieces]):
        if component[before] != component[after] and level.way(relaxed, before, [after]) is None:
            return f"no way leads from {level.place(before)} to the gold at {level.place(after)}, whatever is dug"
    last = pieces[-1] if pieces else level.start
    if level.way(relaxed, last, level.top) is None:
        return f"no way leads from {level.place(last)} to the top row, whatever is dug"
    return ""


def _complete(level: _Level) -> str | None:
    """Moves that complete the level, or None if none were found: without digging, or else with it."""
    closed, revealed = kinds(level.rows, False), kinds(level.rows, True)
    before, after = step_graph(closed, level.gold), step_graph(revealed, [])
    moves = _played(level, before, after)
    if moves is None and level.nodes < level.budget:
        before, states = dig_graph(closed, level.gold, level.budget - level.nodes)
        level.nodes += states
        moves = _played(level, before, after)
    if moves is None and level.nodes < level.budget:
        after, states = dig_graph(revealed, [], level.budget - level.nodes)
        level.nodes += states
        moves = _played(level, before, after)
    return moves


def _played(level: _Level, before: Graph, after: Graph) -> str | None:
    """Moves that fetch the gold along one graph, and leave along the other, which has the hidden ladders."""
    for order in _orders(level, before):
        lasts = order[-1] if order else []
        for last in [None, *lasts[:TRIALS]]:
            edges, at = _fetched(level, before, order, last)
            leave = None if edges is None else level.way(after, at, level.top)
            if edges is None or leave is None:
                continue
            moves = _written([before.moves[edge] for edge in edges] + [after.moves[edge] for edge in leave])
            if _holds(level.rows, moves):
                return moves
    return None


def _orders(level: _Level, graph: Graph) -> Iterator[list[list[int]]]:
    """Ways through the graph's components that take all gold: of each component, the nodes that take some.

    Depth first; a way is given up when it can no longer come by some piece.
    """
    component = components(graph.first, graph.to).tolist()
    number = {piece: i for i, piece in enumerate(level.gold)}
    count = max(component) + 1
    takers: list[list[int]] = [[] for _ in range(count)]
    here = [0] * count  # bits of the gold
    for node, pieces in graph.takes.items():
        takers[component[node]].append(node)
        here[component[node]] |= sum(1 << number[piece] for piece in pieces)
    following: list[set[int]] = [set() for _ in range(count)]
    for node, at in enumerate(component):
        following[at].update(component[to] for to in graph.to[graph.first[node] : graph.first[node + 1]].tolist())
    beyond = here.copy()
    for at in range(count):  # edges lead to smaller numbers
        following[at].discard(at)
        for to in following[at]:
            beyond[at] |= beyond[to]
    left = (1 << len(level.gold)) - 1
    seen: set[tuple[int, int]] = set()
    stack: list[tuple[int, int, list[int]]] = [(component[level.start], left, [])]
    numbers = watched()
    while stack and level.nodes < level.budget:
        if len(seen) % EVERY == 0:
            look(numbers, level.nodes)
        at, left, passed = stack.pop()
        if left & ~beyond[at] or (at, left) in seen:
            continue
        seen.add((at, left))
        level.nodes += 1
        if left & here[at]:
            left, passed = left & ~here[at], [*passed, at]
        if not left:
            yield [takers[number] for number in passed]
            continue
        stack += [(to, left, passed) for to in sorted(following[at])]


def _fetched(
    level: _Level, graph: Graph, order: Sequence[Sequence[int]], last: int | None
) -> tuple[list[int] | None, int]:
    """Edges that fetch the gold component by component, always the nearest next, and `last` at the end; their end."""
    at, edges = level.start, []
    left = set(level.gold) - {at}
    for takers in order:
        while wanted := {node for node in takers if graph.takes[node] & left}:
            way = level.way(graph, at, wanted - {last} or wanted)
            if way is None:
                return None, at
            for edge in way:
                at = int(graph.to[edge])
                left -= graph.takes.get(at, frozenset())
            edges += way
    while at >= graph.tiles:  # within a dig
        edges.append(int(graph.first[at]))
        at = int(graph.to[edges[-1]])
    return edges, at


def _written(parts: Sequence[str]) -> str:
    """The moves of edges one after the other; after digs the player waits until all holes have closed."""
    moves, owed = "", 0
    for part in parts:
        if part == "":
            continue
        if part != "." and owed:
            moves, owed = moves + "." * owed, 0
        owed = closing(part) if len(part) > 1 else max(owed - 1, 0)
        moves += part
    return moves


def _holds(rows: Sequence[str], moves: str) -> bool:
    """Whether moves complete the level; they don't if a hidden ladder that appeared in a dig is in the way."""
    try:
        return replay(rows, moves)
    except IllegalMove:
        return False


def _hurried(rows: Sequence[str], moves: str) -> str:
    """The moves without the waits that aren't needed, from the last on."""
    runs = [match.span() for match in re.finditer(r"\.{8,}", moves)]
    for start, end in runs[: -TRIALS - 1 : -1]:
        for kept in range(0, end - start, 4):  # a fall at the run's beginning stays
            shorter = moves[: start + kept] + moves[end:]
            if _holds(rows, shorter):
                moves = shorter
                break
    return moves
