"""Small edits after which a level of the Lode Runner kind can be completed. Fixed tiles never change.

The edits and their order depend on the level alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from runtime.content.levels.graphs import components
from runtime.content.levels.rules import Cell, Outcome, Prove, find, put
from runtime.content.levels.runner.game import RUNNER
from runtime.content.levels.runner.graph import dig_graph, kinds, reached, step_graph
from runtime.content.levels.runner.guards import bears, steps_from

LADDER, HIDDEN, AIR = "#", "H", RUNNER.empty
LONGEST = 6  # tiles of a ladder that is added
PIECES = 6  # of gold that are moved, at most
FEW = 2  # pieces outside the core are moved, without trying a ladder
ROUNDS = 4  # of edits; each but the last may add a ladder
STATES = 30_000  # of digging, searched in each round
FAR_LARGER = 2  # times as many tiles
SOLID_COSTS = 4  # the cost of a hidden ladder in a solid tile; in air it is 1


def arrange(rows: Sequence[str], fixed: Set[Cell], gold: bool, guards: tuple[int, int] | None) -> list[str]:
    """The level with one player, and the gold and guards that it needs.

    Surplus players or guards become air, the last ones first. A missing player goes to the first place to stand on,
    gold and guards to the place farthest from all players, gold and guards.

    Args:
        rows: the level.
        fixed: the places of fixed tiles.
        gold: whether there must be some.
        guards: the least and the most of them; None: as many as there are.

    Raises:
        ValueError: there is no place for what is missing, or too many are fixed.
    """
    rows = _thinned(rows, fixed, "M", 1)
    if not find(rows, "M"):
        rows = put(rows, {_places(rows, fixed)[0]: "M"})
    if gold and not find(rows, "G"):
        rows = put(rows, {_apart(rows, fixed, "M"): "G"})
    if guards is not None:
        rows = _thinned(rows, fixed, "E", guards[1])
        while len(find(rows, "E")) < guards[0]:
            rows = put(rows, {_apart(rows, fixed, "MGE"): "E"})
    return list(rows)


def _thinned(rows: Sequence[str], fixed: Set[Cell], char: str, most: int) -> list[str]:
    found = find(rows, char)
    spare = [cell for cell in found if cell not in fixed][::-1][: max(0, len(found) - most)]
    if len(found) - len(spare) > most:
        raise ValueError(f"too many {char!r} are given")
    return put(rows, dict.fromkeys(spare, AIR))


def _places(rows: Sequence[str], fixed: Set[Cell]) -> list[Cell]:
    """Cells of air to stand in. Raises ValueError if there are none."""
    found = [cell for cell in find(rows, AIR) if cell not in fixed and bears(rows, *cell)]
    if not found:
        raise ValueError("no place to stand on")
    return found


def _apart(rows: Sequence[str], fixed: Set[Cell], chars: str) -> Cell:
    away = steps_from(find(rows, chars), len(rows), len(rows[0]))
    return min(_places(rows, fixed), key=lambda cell: (-away[cell], cell))


def mend(rows: Sequence[str], fixed: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    """The level after a few edits, with its solution; None if they are not enough.

    The core is the largest part in which each tile can be reached from each. A player who can't get there starts there;
    hidden ladders lead up from it where no path does; gold outside is moved into it or, if there is much, joined to it
    by a ladder.

    Args:
        rows: the level, with its player.
        fixed: the places of fixed tiles.
        prove: a solver with its budget.
    """
    for last in (*[False] * (ROUNDS - 1), True):
        core = _core_of(rows, fixed)
        if core is None:
            return None
        before = list(rows)
        rows = _with_exit(_with_player(rows, fixed, core), fixed, core)
        outside = [piece for piece in find(rows, "G") if piece not in core.gold]
        ladder = None if last or len(outside) <= FEW else _ladder(rows, fixed, core, outside)
        rows = _with_gold(rows, fixed, core, outside) if ladder is None else put(rows, dict.fromkeys(ladder, LADDER))
        if rows == before:
            return None
        outcome = prove(rows)
        if outcome.status == "solved":
            return list(rows), outcome
    return None


@dataclass(frozen=True)
class _Core:
    """Tiles that can be walked to from one another, and the gold that is taken there.

    `player`: who gets there; `exit`: whether a way leads from there to the top row once all gold is taken. `parts`: the
    part of each other tile, which can be walked to from one another as well.
    """

    cells: frozenset[Cell]
    gold: frozenset[Cell]
    player: bool
    exit: bool
    parts: Mapping[Cell, int]

    def floor(self, rows: Sequence[str], fixed: Set[Cell], near: Cell) -> Cell | None:
        """Air to stand in, the nearest, if there is some not beside gold."""
        found = [at for at in self.cells if rows[at[0]][at[1]] == AIR and at not in fixed and bears(rows, *at)]
        alone = [(y, x) for y, x in found if "G" not in rows[y][max(x - 1, 0) : x + 2]]
        return min(alone or found, key=lambda at: (abs(at[0] - near[0]) + abs(at[1] - near[1]), at), default=None)


def _core_of(rows: Sequence[str], fixed: Set[Cell]) -> _Core | None:
    """The largest part that the player can get to; or the largest of all, if that is far larger and they may start
    there. None if there is none of two tiles.
    """
    width = len(rows[0]) + 2
    (player,) = find(rows, "M")
    gold = [y * width + x + 1 for y, x in find(rows, "G")]
    graph, _ = dig_graph(kinds(rows, False), gold, STATES)
    part = components(graph.first, graph.to)
    sizes = np.bincount(part[: graph.tiles])
    known = reached(graph, [player[0] * width + player[1] + 1])
    rank = sizes * len(sizes) + np.arange(len(sizes))  # of parts as large, one that leads to the others
    best = int(np.where(np.isin(np.arange(len(sizes)), part[known]), rank, -1).argmax())
    largest = int(rank.argmax())
    if player not in fixed and sizes[largest] > FAR_LARGER * sizes[best]:
        best = largest
    if sizes[best] < 2:
        return None
    inside = np.flatnonzero(part == best)
    leave = reached(step_graph(kinds(rows, True), []), inside[inside < graph.tiles].tolist())

    def cell(node: int) -> Cell:
        return node // width, node % width - 1

    taken = {piece for node in inside.tolist() for piece in graph.takes.get(node, ())}
    return _Core(
        frozenset(cell(node) for node in inside.tolist() if node < graph.tiles),
        frozenset(cell(piece) for piece in taken),
        bool((part[known] == best).any()),
        any(node < width for node in leave),
        {cell(node): int(number) for node, number in enumerate(part[: graph.tiles]) if number != best},
    )


def _with_player(rows: Sequence[str], fixed: Set[Cell], core: _Core) -> list[str]:
    """The player starts in the core if they can't get there."""
    (player,) = find(rows, "M")
    place = None if core.player or player in fixed else core.floor(rows, fixed, player)
    return put(rows, {} if place is None else {player: AIR, place: "M"})


def _with_exit(rows: Sequence[str], fixed: Set[Cell], core: _Core) -> list[str]:
    """Hidden ladders up from the core, where they change the least, unless a way leads to the top row."""
    if core.exit:
        return list(rows)
    ways = []
    for y, x in core.cells:
        way = [(v, x) for v in range(y + 1) if rows[v][x] not in LADDER + HIDDEN]
        if not any(at in fixed or rows[at[0]][at[1]] in "MG" for at in way):
            costs = sum(1 if rows[v][x] in AIR + "E" else SOLID_COSTS for v, _ in way)
            ways.append((costs, (y, x), way))
    return put(rows, dict.fromkeys(min(ways)[2], HIDDEN) if ways else {})


def _with_gold(rows: Sequence[str], fixed: Set[Cell], core: _Core, outside: Sequence[Cell]) -> list[str]:
    """The first few pieces outside the core moved to the nearest floor inside."""
    for piece in [piece for piece in outside if piece not in fixed][:PIECES]:
        place = core.floor(rows, fixed, piece)
        if place is not None:
            rows = put(rows, {piece: AIR, place: "G"})
    return list(rows)


def _ladder(rows: Sequence[str], fixed: Set[Cell], core: _Core, outside: Sequence[Cell]) -> list[Cell] | None:
    """The tiles of the shortest ladder between the core and a part that has gold outside it."""
    parts = {core.parts[piece] for piece in outside if piece in core.parts}
    return shortest_ladder(rows, fixed, core.cells, [at for at, number in core.parts.items() if number in parts])


def shortest_ladder(
    rows: Sequence[str], fixed: Set[Cell], core: Set[Cell], part: Sequence[Cell], longest: int = LONGEST
) -> list[Cell] | None:
    """The tiles of the shortest ladder between a tile of the core and one of a part; None if it takes more tiles."""
    ladders = []
    for y, x in part:
        for length in range(1, longest + 1):
            up, down = [(y - k, x) for k in range(length)], [(y + 1 + k, x) for k in range(length)]
            for end, (v, u), way in (((y - length, x), up[-1], up), (down[-1], down[-1], down)):
                joins = core & {end, (v, u - 1), (v, u + 1)}
                if joins and not any(at in fixed or rows[at[0]][at[1]] in "MG" for at in way):
                    ladders.append((length, way))
    return min(ladders)[1] if ladders else None
