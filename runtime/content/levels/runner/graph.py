"""Where the Lode Runner kind's player gets from where, as a graph; and a graph that allows more than the rules.

Nodes are tiles. An edge is either a step, or a dig: a sequence of digs and steps that leads down through holes, after
which the player waits until they have closed, so that every edge starts and ends in the level as it is drawn. Gold is
taken in passing and changes nothing. So a level is a graph; its gold can be fetched if it lies along one path
through the graph's strong components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from runtime.content.levels.queue import add, table_for
from runtime.content.levels.runner.game import HOLE_TICKS
from runtime.content.levels.watch import look, watched

FREE, BRICK, STONE, LADDER, ROPE = range(5)
SIDE, DEPTH = 5, 5  # digs reach that many columns to either side, and rows down
STATES = 6000  # that a search for digs looks at from one tile
FOUND = 256  # digs kept for one tile
POCKET = 24  # a tile from which steps lead to fewer tiles is one
LETTERS = "lrud.LR"
STEPS = ((0, -1), (0, 1), (-1, 0), (1, 0))


@dataclass(frozen=True)
class Graph:
    """`first` and `to` as in graphs.py; of each edge the `ticks` it takes and its `moves`.

    `takes`: the nodes that take gold, and which. A dig that passes gold is a node of its own, beyond those of tiles,
    with an edge to it that has the moves and one from it that has none.
    """

    first: NDArray[np.int32]
    to: NDArray[np.int32]
    ticks: NDArray[np.int32]
    moves: list[str]
    takes: Mapping[int, frozenset[int]]
    tiles: int  # nodes that are tiles


def step_graph(level: NDArray[np.int8], gold: Sequence[int]) -> Graph:
    """All steps, and nothing dug. `gold`: the nodes with gold."""
    return _graph(level.size, _named(steps(level, False)), {piece: frozenset([piece]) for piece in gold})


def relaxed_graph(rows: Sequence[str], gold: Sequence[int]) -> Graph:
    """More than the rules allow: bricks are dug or not, and hidden ladders there or not, as it suits."""
    both = np.vstack([steps(kinds(rows, revealed), True) for revealed in (False, True)])
    edges = _named(np.unique(both, axis=0))
    return _graph(kinds(rows, False).size, edges, {piece: frozenset([piece]) for piece in gold})


def dig_graph(level: NDArray[np.int8], gold: Sequence[int], budget: int) -> tuple[Graph, int]:
    """All steps and digs, and how many states were looked at for them; no more digs once that is the budget."""
    stepped = step_graph(level, gold)
    edges = _named(steps(level, False))
    takes = dict(stepped.takes)
    pockets = np.zeros(level.shape, np.bool_)
    pockets.flat[[piece for piece in gold if _shut_in(stepped, piece)]] = True
    width = level.shape[1]
    found = np.empty((FOUND, 3), np.int64)
    path = np.empty((FOUND, HOLE_TICKS + 1), np.int8)
    numbers, states, nodes = watched(), 0, level.size
    for source in sorted({edge[0] for edge in edges if edge[2] != "."}):
        if states >= budget:
            break
        look(numbers, states)
        count, looked = digs(level, pockets, source // width, source % width, found, path)
        states += looked
        for (to, length, _), letters in zip(found[:count].tolist(), path[:count].tolist(), strict=True):
            moves = "".join(LETTERS[letter] for letter in letters[:length])
            taken = takes_of(source, moves, width, gold)
            if taken:
                edges += [(source, nodes, moves), (nodes, to, "")]
                takes[nodes] = taken
                nodes += 1
            else:
                edges.append((source, to, moves))
    return _graph(nodes, edges, takes, level.size), states


def takes_of(source: int, moves: str, width: int, gold: Sequence[int]) -> frozenset[int]:
    """The gold that a dig's moves take on the way to where they end."""
    at, passed = source, set()
    for letter in moves:
        at += {"l": -1, "r": 1, "u": -width, "d": width, ".": width}.get(letter, 0)
        passed.add(at)
    return frozenset(passed - {at}) & frozenset(gold)


def _shut_in(graph: Graph, node: int) -> bool:
    """Whether steps lead from a node to few others: to take gold there, one has to dig on before the hole closes."""
    return len(reached(graph, [node], POCKET)) < POCKET


def reached(graph: Graph, sources: Sequence[int], most: int = 1 << 30) -> list[int]:
    """The nodes that edges lead to from some, these included; no more are looked for once there are `most`."""
    known, waiting = set(sources), list(sources)
    while waiting and len(known) < most:
        at = waiting.pop()
        more: set[int] = set(graph.to[graph.first[at] : graph.first[at + 1]].tolist()) - known
        known |= more
        waiting += sorted(more)
    return sorted(known)


def _named(edges: NDArray[np.int32]) -> list[tuple[int, int, str]]:
    return [(source, to, LETTERS[letter]) for source, to, letter in edges.tolist()]


def _graph(nodes: int, edges: list[tuple[int, int, str]], takes: Mapping[int, frozenset[int]], tiles: int = 0) -> Graph:
    edges = sorted(edges, key=lambda edge: edge[0])
    first = np.zeros(nodes + 1, np.int32)
    np.add.at(first, [source + 1 for source, _, _ in edges], 1)
    moves = [letters for _, _, letters in edges]
    ticks = [len(letters) + (closing(letters) if len(letters) > 1 else 0) for letters in moves]
    to = np.array([target for _, target, _ in edges], np.int32)
    return Graph(np.cumsum(first).astype(np.int32), to, np.array(ticks, np.int32), moves, takes, tiles or nodes)


def closing(moves: str) -> int:
    """Ticks after the moves until all holes that they dug have closed."""
    last = max(moves.rfind("L"), moves.rfind("R"))
    return max(HOLE_TICKS + 1 - (len(moves) - last), 0) if last >= 0 else 0


def kinds(rows: Sequence[str], revealed: bool) -> NDArray[np.int8]:
    """What tiles do, int8 (H + 1, W + 2), with stone at the sides and below; hidden ladders are there if `revealed`."""
    of_char = np.full(128, FREE, np.int8)
    for char, kind in {"b": BRICK, "B": STONE, "#": LADDER, "-": ROPE, "H": LADDER if revealed else FREE}.items():
        of_char[ord(char)] = kind
    height, width = len(rows), len(rows[0])
    level = np.full((height + 1, width + 2), STONE, np.int8)
    text = np.frombuffer("".join(rows).encode("ascii"), np.uint8).reshape(height, width)
    level[:-1, 1:-1] = of_char[text]
    return level


@njit(cache=True, nogil=True)
def steps(level: NDArray[np.int8], relaxed: bool) -> NDArray[np.int32]:
    """Edges of one step, int32 (E, 3): source, target, letter.

    `relaxed`: bricks with room above may be passed as if they were dug, and stood on all the same.
    """
    height, width = level.shape
    edges = np.empty((4 * level.size, 3), np.int32)
    count = 0
    for row in range(height - 1):
        for column in range(1, width - 1):
            here = level[row, column]
            if not _enters(level, row, column, relaxed):
                continue
            below = level[row + 1, column]
            stands = here in (LADDER, ROPE) or below in (BRICK, STONE, LADDER)
            source = row * width + column
            if not stands:
                edges[count] = source, source + width, 4
                count += 1
                continue
            for letter in range(4):
                r, c = row + STEPS[letter][0], column + STEPS[letter][1]
                if r < 0 or (letter == 2 and here != LADDER) or not _enters(level, r, c, relaxed):
                    continue
                edges[count] = source, r * width + c, letter
                count += 1
    return edges[:count]


@njit(cache=True, nogil=True, inline="always")
def _enters(level: NDArray[np.int8], row: int, column: int, relaxed: bool) -> bool:
    """Whether the player can be in a tile."""
    kind = level[row, column]
    if kind == BRICK and relaxed:
        return bool(row > 0 and level[row - 1, column] in (FREE, BRICK))
    return bool(kind not in (BRICK, STONE))


@njit(cache=True, nogil=True)
def digs(
    level: NDArray[np.int8],
    pockets: NDArray[np.bool_],
    row: int,
    column: int,
    found: NDArray[np.int64],
    path: NDArray[np.int8],
) -> tuple[int, int]:
    """Ways through holes from a tile that one can stand on; the first move is a dig.

    `found` int64 (M, 3) gets the target, the count of moves, and what was taken from `pockets` of each, and `path` int8
    (M, HOLE_TICKS + 1) the moves; there is one, the shortest, for each target and for what was taken. Gives how many
    there are, and how many states were looked at. In a state some holes are open, none for more than HOLE_TICKS; tiles
    of pockets that have been visited are told by bits, as holes are.
    """
    height, width = level.shape
    window = 2 * SIDE + 1
    states = np.empty((STATES, 6), np.int64)  # row, column, bits of the window's tiles, parent, letter, ticks
    states[0] = np.array((row, column, 0, -1, 4, 0))
    table = table_for(STATES)
    count, at, targets = 1, 0, 0
    while at < count:
        r, c, holes, ticks = int(states[at, 0]), int(states[at, 1]), int(states[at, 2]), int(states[at, 5])
        stands = _stands(level, r, c, holes, row, column)
        for letter in range(7):
            if ticks == HOLE_TICKS or (stands and letter == 4) or (not stands and letter != 4):
                continue
            if ticks == 0 and letter < 5:
                continue
            to_row, to_column, to_holes = r, c, holes
            if letter == 4:
                to_row += 1
            elif letter < 4:
                to_row, to_column = r + STEPS[letter][0], c + STEPS[letter][1]
                if letter == 2 and level[r, c] != LADDER:
                    continue
            else:
                side = c - 1 if letter == 5 else c + 1
                if r + 1 >= height or level[r + 1, side] != BRICK:
                    continue
                if not (_open(level, r, side, holes, row, column) and level[r, side] in (FREE, BRICK)):
                    continue
                bit = _bit(r + 1, side, row, column)
                if bit == 0 or holes & bit or (holes and not _beside(r + 1, side, holes, row, column)):
                    continue
                to_holes |= bit
            if to_row < row or not _open(level, to_row, to_column, to_holes, row, column):
                continue
            inside = abs(to_column - column) <= SIDE and to_row - row <= DEPTH
            if pockets[to_row, to_column]:
                to_holes |= _bit(to_row, to_column, row, column)
            left_hole = level[r, c] == BRICK and level[to_row, to_column] != BRICK
            if left_hole and _lands(level, to_row, to_column, to_holes, row, column):
                target, taken = to_row * width + to_column, _taken(pockets, to_holes, row, column)
                known = False
                for i in range(targets):
                    known = known or (found[i, 0] == target and found[i, 2] == taken)
                if not known and targets < len(found):
                    found[targets, 0], found[targets, 1], found[targets, 2] = target, ticks + 1, taken
                    path[targets, ticks] = letter
                    back = at
                    while states[back, 5]:
                        path[targets, states[back, 5] - 1] = states[back, 4]
                        back = int(states[back, 3])
                    targets += 1
            if not inside or count == STATES:
                continue
            place = (to_row - row) * window + to_column - column + SIDE
            if add(table, (to_holes << 7 | place) + 1):
                states[count] = np.array((to_row, to_column, to_holes, at, letter, ticks + 1))
                count += 1
        at += 1
    return targets, at


@njit(cache=True, nogil=True, inline="always")
def _bit(row: int, column: int, top: int, middle: int) -> int:
    """A brick's bit among the holes of a window; 0 outside it."""
    if row <= top or row > top + DEPTH or abs(column - middle) > SIDE:
        return 0
    return 1 << ((row - top - 1) * (2 * SIDE + 1) + column - middle + SIDE)


@njit(cache=True, nogil=True)
def _taken(pockets: NDArray[np.bool_], bits: int, top: int, middle: int) -> int:
    """The bits that are of pockets."""
    if bits == 0 or not pockets.any():
        return 0
    taken = 0
    for row in range(top + 1, min(top + DEPTH + 1, pockets.shape[0])):
        for column in range(max(middle - SIDE, 0), min(middle + SIDE + 1, pockets.shape[1])):
            if pockets[row, column]:
                taken |= bits & _bit(row, column, top, middle)
    return taken


@njit(cache=True, nogil=True, inline="always")
def _open(level: NDArray[np.int8], row: int, column: int, holes: int, top: int, middle: int) -> bool:
    kind = level[row, column]
    return kind != STONE and (kind != BRICK or holes & _bit(row, column, top, middle) != 0)


@njit(cache=True, nogil=True, inline="always")
def _stands(level: NDArray[np.int8], row: int, column: int, holes: int, top: int, middle: int) -> bool:
    if level[row, column] in (LADDER, ROPE) or level[row + 1, column] == LADDER:
        return True
    return not _open(level, row + 1, column, holes, top, middle)


@njit(cache=True, nogil=True)
def _beside(row: int, column: int, holes: int, top: int, middle: int) -> bool:
    """Whether a brick is next to a hole, or below one: digs that go together do."""
    around = (
        _bit(row, column - 1, top, middle) | _bit(row, column + 1, top, middle) | _bit(row - 1, column, top, middle)
    )
    return holes & around != 0


@njit(cache=True, nogil=True)
def _lands(level: NDArray[np.int8], row: int, column: int, holes: int, top: int, middle: int) -> bool:
    """Whether who falls from there, if they do, comes to stand outside all holes."""
    while not _stands(level, row, column, holes, top, middle):
        row += 1
        if level[row, column] == BRICK:
            return False
    return True
