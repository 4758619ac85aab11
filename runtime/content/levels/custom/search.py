"""The solver of custom games: a breadth-first search of every state (docs/custom-games.md)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from runtime.content.levels.custom.game import CustomGame
from runtime.content.levels.rules import OFFSETS, Cell, Outcome, check_rows, find, goals_of, starts_of, traced
from runtime.content.levels.watch import EVERY, look, watched

State = tuple[int, int, int]  # row, column, and how many tiles a jump may still rise
Steps = Callable[[State], Iterator[tuple[str, State]]]


def solve(game: CustomGame, rows: Sequence[str], budget: int) -> Outcome:
    """Reach a goal from the start in the fewest moves. `budget`: the states to search.

    Raises:
        ValueError: rows are no level of the game.
    """
    check_rows(game, rows)
    goals = set(find(rows, goals_of(game)))
    came, end = _search(game, rows, goals, budget)
    if end is not None:
        moves = traced(came, end)
        return Outcome("solved", moves, len(came), f"{len(moves)} moves, the fewest there are")
    if len(came) > budget:
        return Outcome("unknown", "", len(came), f"no goal among the nearest {budget} states")
    return Outcome("unsolvable", "", len(came), f"none of the {len({s[:2] for s in came})} places to get to is a goal")


def places(game: CustomGame, rows: Sequence[str]) -> dict[Cell, int]:
    """The cells that the player can reach and rest in, with the number of moves, in the order of the search.

    Raises:
        ValueError: rows have no start.
    """
    came, _ = _search(game, rows, set(), game.budget)
    resting = _resting(game, rows)
    moves: dict[State, int] = {}
    found: dict[Cell, int] = {}
    for state, (before, _) in came.items():  # each after where it came from
        moves[state] = 0 if before == state else moves[before] + 1
        if resting(state[0], state[1]):
            found.setdefault(state[:2], moves[state])
    return found


def _search(
    game: CustomGame, rows: Sequence[str], goals: set[Cell], budget: int
) -> tuple[dict[State, tuple[State, str]], State | None]:
    """Each state's predecessor and move, up to one more than the budget; and the state in a goal, if one was found."""
    steps = _four_way(game, rows) if game.four_way else _walking(game, rows)
    start = (*find(rows, starts_of(game))[0], 0)
    came: dict[State, tuple[State, str]] = {start: (start, "")}
    queue = deque([start])
    numbers, looked = watched(), 0
    while queue and len(came) <= budget:
        state = queue.popleft()
        looked += 1
        if looked % EVERY == 0:
            look(numbers, looked)
        for letter, following in steps(state):
            if following not in came:
                came[following] = state, letter
                if following[:2] in goals:
                    return came, following
                queue.append(following)
    return came, None


def _open(game: CustomGame, rows: Sequence[str]) -> set[Cell]:
    """The cells that the player can be in."""
    closed = "".join(c for c, tile in game.tiles.items() if tile.hazard or (tile.solid and not tile.oneway))
    return {(y, x) for y, row in enumerate(rows) for x, char in enumerate(row) if char not in closed}


def _four_way(game: CustomGame, rows: Sequence[str]) -> Steps:
    open_ = _open(game, rows)

    def steps(state: State) -> Iterator[tuple[str, State]]:
        for letter, (dy, dx) in OFFSETS.items():
            y, x = state[0] + dy, state[1] + dx
            if (y, x) in open_:
                yield letter, (y, x, 0)

    return steps


def _resting(game: CustomGame, rows: Sequence[str]) -> Callable[[int, int], bool]:
    """Whether the player rests in a cell, and does not fall."""
    if game.four_way:
        return lambda _y, _x: True
    tiles = game.tiles.values()
    holds = "".join(tile.char for tile in tiles if tile.solid or tile.oneway or tile.climbable)
    climbed = "".join(tile.char for tile in tiles if tile.climbable)
    return lambda y, x: rows[y][x] in climbed or (y + 1 < len(rows) and rows[y + 1][x] in holds)


def _walking(game: CustomGame, rows: Sequence[str]) -> Steps:
    open_, resting = _open(game, rows), _resting(game, rows)
    climbed = set(find(rows, "".join(tile.char for tile in game.tiles.values() if tile.climbable)))

    def steps(state: State) -> Iterator[tuple[str, State]]:
        y, x, rise = state
        rests = resting(y, x)
        down = y if rests else y + 1
        if (down, x) in open_:
            for letter, side in ((".", 0), ("l", -1), ("r", 1)):
                if (down, x + side) in open_ and (side or not rests):
                    yield letter, (down, x + side, 0)
        left = game.legend.jump if rests else rise
        if left and (y - 1, x) in open_:
            for letter, side in (("J", 0), ("L", -1), ("R", 1)):
                if (y - 1, x + side) in open_:
                    yield letter, (y - 1, x + side, left - 1)
        if (y + 1, x) in open_ and {(y, x), (y + 1, x)} & climbed:
            yield "d", (y + 1, x, 0)

    return steps
