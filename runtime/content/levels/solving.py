"""Levels to proofs: levels.solve, its parameters checked, and every solution played through before it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from runtime.content.checks import within
from runtime.content.execution import Executor
from runtime.content.levels.custom import search as own_search
from runtime.content.levels.custom.game import OwnGame
from runtime.content.levels.dungeon import solver as dungeon
from runtime.content.levels.dungeon.places import place_stairs
from runtime.content.levels.platformer import solver as platformer
from runtime.content.levels.playing import player_of
from runtime.content.levels.requests import MOST_BUDGET, asked_game, wrong
from runtime.content.levels.rules import DUNGEON, Game, Outcome, check_tiles, find, find_game
from runtime.content.levels.runner import solver as runner
from runtime.content.levels.sokoban import solver as sokoban
from runtime.content.levels.watch import telling, watching
from runtime.registry import Registry

SOLVERS: Mapping[str, Callable[[Sequence[str], int], Outcome]] = {
    "sokoban": sokoban.solve,
    "dungeon": dungeon.solve,
    "platformer": platformer.solve,
    "runner": runner.solve,
}


class SolveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of levels.solve. `budget`: nodes to look at; by default the game's own."""

    game: str
    rows: list[str]
    budget: int | None = None


SMALLEST: Mapping[str, Sequence[str]] = {
    "sokoban": ("######", "#@ $.#", "######"),
    "dungeon": ("<.>",),
    "platformer": ("S...........#G", "##....########"),
    "runner": ("M..G..", "######"),
}


def solver_of(game: Game) -> Callable[[Sequence[str], int], Outcome]:
    """The game's solver."""
    return partial(own_search.solve, game) if isinstance(game, OwnGame) else SOLVERS[game.name]


def prove(game: Game, rows: Sequence[str], budget: int) -> Outcome:
    """What the game's solver says of a level. A solution has been played through by the rules.

    Raises:
        ValueError: rows are no level of the game, or one too large for its solver.
        RuntimeError: the solution breaks the rules, which would be a fault of the solver.
    """
    outcome = solver_of(game)(rows, budget)
    if outcome.status == "solved" and not player_of(game).replay(rows, outcome.moves):
        raise RuntimeError(f"{game.name}: the solver's moves do not complete the level: {outcome.moves}")
    return outcome


def warm_up() -> None:
    """Solve a small level of each game, which compiles what is not compiled yet, and loads what is."""
    for name, rows in SMALLEST.items():
        game = find_game(name)
        prove(game, rows, game.budget)


def check(request: SolveRequest, registry: Registry) -> tuple[Game, SolveRequest]:
    """The request's game, and the request with its budget.

    Raises:
        RpcError: INVALID_PARAMS for an unknown game, OUT_OF_RANGE for the budget.
    """
    game = asked_game(request.game, registry)
    budget = game.budget if request.budget is None else request.budget
    most = MOST_BUDGET * game.budget
    within("budget", budget, 1, most, taker=game.name, unit="nodes")
    return game, SolveRequest(game.name, request.rows, budget)


def search(
    executor: Executor, game: Game, request: SolveRequest, report: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """As `solve`, in a worker if there are any; `report` is told how many nodes of the budget were looked at.

    Raises:
        RpcError: as `solve`.
        Stopped: nobody waits for it any more.
    """
    assert request.budget is not None  # since check
    budget = request.budget
    tell = None if report is None else lambda nodes: report(min(nodes, budget), budget)
    with telling(executor.wanted, tell) as path:
        return next(executor.each(solve, [(game, request, path)]))


def solve(game: Game, request: SolveRequest, path: str | None = None) -> dict[str, Any]:
    """The answer to a checked request; a dungeon without both stairs gets them by rule.

    `path`: the file that tells how far it is, and whether it is to stop (runtime/content/levels/watch.py).

    Raises:
        RpcError: INVALID_PARAMS for rows that are no level of the game, or one too large for its solver.
    """
    assert request.budget is not None  # since check
    rows = request.rows
    try:
        check_tiles(game, rows)
        if game is DUNGEON and (len(find(rows, "<")) != 1 or not find(rows, ">")):
            rows = place_stairs(rows)
        with watching(path):
            outcome = prove(game, rows, request.budget)
        closed = dungeon.unreached(rows) if game is DUNGEON else []
    except ValueError as error:
        raise wrong("rows", str(error)) from error
    return {
        "game": game.name,
        "rows": rows,
        "status": outcome.status,
        "solution": outcome.moves if outcome.status == "solved" else None,
        "why": outcome.why + (f"; {len(closed)} rooms, {sum(map(len, closed))} tiles, are closed" if closed else ""),
        "nodes": outcome.nodes,
    }
