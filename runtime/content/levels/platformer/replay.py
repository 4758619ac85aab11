"""The replay of the platformer, tick by tick, to verify a solution. It shares no code with the search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.content.levels.platformer.game import PLATFORMER
from runtime.content.levels.platformer.level import read_level
from runtime.content.levels.platformer.physics import DIRECTIONS, HEIGHT
from runtime.content.levels.platformer.step import COMPLETE, DEATHS, State, first_state, step
from runtime.content.levels.rules import IllegalMove, check_rows


def replay(rows: Sequence[str], moves: str) -> bool:
    """Whether `moves` lead from the start to a goal.

    Raises:
        IllegalMove: an unknown letter, or a tick in which the player is hurt or falls out of the level.
        ValueError: rows are no level, as check_rows says.
    """
    *_, last = play(rows, moves)
    return last.outcome == COMPLETE


def path(rows: Sequence[str], moves: str) -> list[tuple[int, int]]:
    """Where the player's middle is, x and y in pixels, before the first of `moves` and after each. Raises as replay."""
    return [(state.x, state.y - HEIGHT // 2) for state in play(rows, moves)]


def play(rows: Sequence[str], moves: str) -> Iterator[State]:
    """The game before the first of `moves` and after each. Raises as replay."""
    check_rows(PLATFORMER, rows)
    level = read_level(rows)
    state = first_state(level)
    yield state
    for number, move in enumerate(moves):
        if move not in DIRECTIONS:
            raise IllegalMove(f"move {number}, {move!r}: there are only {', '.join(DIRECTIONS)}")
        state = step(level, state, move)
        if state.outcome in DEATHS:
            raise IllegalMove(f"move {number}, {move!r}: {state.outcome} at x {state.x}, y {state.y}")
        yield state
