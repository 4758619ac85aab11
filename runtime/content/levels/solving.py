"""levels.solve: checks the request, solves the level, and replays every solution before it is returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from runtime.content.checks import invalid, within
from runtime.content.execution import Executor
from runtime.content.levels.games import KITS, kit_of, requested_game
from runtime.content.levels.requests import MOST_BUDGET
from runtime.content.levels.rules import Game, Outcome, check_tiles, find, goals_of, starts_of
from runtime.content.levels.watch import telling, watching
from runtime.registry import Registry


class SolveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of levels.solve. `budget`: nodes to look at; by default the game's own."""

    game: str
    rows: list[str]
    budget: int | None = None


def prove(game: Game, rows: Sequence[str], budget: int) -> Outcome:
    """Solve a level. A solution has been replayed by the rules.

    Args:
        game: of the level.
        rows: the level.
        budget: the nodes that the solver may search.

    Raises:
        ValueError: rows are no level of the game, or one too large for its solver.
        RuntimeError: the solution does not complete the level: the solver has a bug.
    """
    kit = kit_of(game)
    outcome = kit.solve(rows, budget)
    if outcome.status == "solved" and not kit.player.replay(rows, outcome.moves):
        raise RuntimeError(f"{game.name}: the solver's moves do not complete the level: {outcome.moves}")
    return outcome


def warm_up() -> None:
    """Solve a small level of each game, so that its solver is compiled, or loaded from the disk, before a request."""
    for kit in KITS.values():
        if kit.smallest:
            prove(kit.rules, kit.smallest, kit.rules.budget)


def check(request: SolveRequest, registry: Registry) -> tuple[Game, SolveRequest]:
    """The request's game, and the request with its budget.

    Raises:
        RpcError: INVALID_PARAMS for an unknown game, OUT_OF_RANGE for the budget.
    """
    game = requested_game(request.game, registry)
    budget = game.budget if request.budget is None else request.budget
    most = MOST_BUDGET * game.budget
    within("budget", budget, 1, most, taker=game.name, unit="nodes")
    return game, SolveRequest(game.name, request.rows, budget)


def search(
    executor: Executor, game: Game, request: SolveRequest, report: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """As `solve`, in a worker if there is one.

    Args:
        executor: runs it.
        game: the request's, from `check`.
        request: from `check`.
        report: is called with the nodes searched so far, and the budget.

    Raises:
        RpcError: as `solve`.
        Stopped: nobody waits for the result any more.
    """
    assert request.budget is not None  # since check
    budget = request.budget
    tell = None if report is None else lambda nodes: report(min(nodes, budget), budget)
    with telling(executor.wanted, tell) as path:
        return next(executor.each(solve, [(game, request, path)]))


def solve(game: Game, request: SolveRequest, path: str | None = None) -> dict[str, Any]:
    """The response to a checked request. Missing ends are placed if the game has a rule for it.

    Args:
        game: the request's, from `check`.
        request: from `check`.
        path: the file that has the search's progress and can stop it (runtime/content/levels/watch.py).

    Raises:
        RpcError: INVALID_PARAMS for rows that are no level of the game, or one too large for its solver.
    """
    assert request.budget is not None  # since check
    rows, kit = request.rows, kit_of(game)
    try:
        check_tiles(game, rows)
        if len(find(rows, starts_of(game))) != 1 or not find(rows, goals_of(game)):
            rows = kit.place_ends(rows)
        with watching(path):
            outcome = prove(game, rows, request.budget)
        closed = kit.closed(rows)
    except ValueError as error:
        raise invalid("rows", str(error)) from error
    return {
        "game": game.name,
        "rows": rows,
        "status": outcome.status,
        "solution": outcome.moves if outcome.status == "solved" else None,
        "why": outcome.why + (f"; {len(closed)} rooms, {sum(map(len, closed))} tiles, are closed" if closed else ""),
        "nodes": outcome.nodes,
    }
