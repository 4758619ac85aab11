"""Slopes of the platformer: a player who holds a direction walks up and down them without a stop."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_platformers import KEYS, hillsides, mirrored

from runtime.content.levels.platformer import motion
from runtime.content.levels.platformer.level import read_level
from runtime.content.levels.platformer.physics import DIRECTIONS, HALF_WIDTH, HELD, RUN
from runtime.content.levels.platformer.replay import play, replay
from runtime.content.levels.platformer.solver import solve
from runtime.content.levels.platformer.step import State, blocked, first_state, step
from runtime.content.levels.rules import TILE

LEFT, TOP = TILE * motion.MARGIN, TILE * motion.ABOVE  # of the level, in the search's coordinates


def slope_to_plateau(run: int, start: int) -> list[str]:
    """Ground, a slope of `run` tiles whose last is in column 8, and ground a tile higher."""
    rows = ["." * 40] * 12 + ["." * (9 - run) + "/" * run + "#" * 31] + ["#" * 40] * 3
    rows[12] = rows[12][:start] + "S" + rows[12][start + 1 :]
    rows[5] = rows[5][:-1] + "G"
    return rows


@pytest.mark.parametrize(("run", "start"), [(run, start) for run in (1, 2, 3, 4) for start in range(9 - run)])
def test_a_slope_leads_onto_the_ground_at_its_upper_end(run: int, start: int) -> None:
    rows = slope_to_plateau(run, start)
    wall = TILE * 40 - HALF_WIDTH
    assert [*play(rows, "r" * 150)][-1].x == wall
    assert [*play(mirrored(rows), "l" * 150)][-1].x == TILE * 40 - wall
    back = [*rows[:12], rows[12].replace("S", "."), *rows[13:]]
    back[11] = "." * 20 + "S" + "." * 19
    assert [*play(back, "l" * 150)][-1].x == HALF_WIDTH
    assert [*play(mirrored(back), "r" * 150)][-1].x == TILE * 40 - HALF_WIDTH


@settings(max_examples=300)
@given(hillsides(), st.integers(0, TILE - 1), st.integers(-RUN, RUN), st.booleans())
@example(slope_to_plateau(1, 0), 8, 0, False)
def test_a_walker_with_head_room_never_stops(rows: list[str], pixel: int, speed: int, to_the_left: bool) -> None:
    """From any place to stand, at any speed, to the end of the level: on the ground, faster each tick up to a run."""
    direction = 1
    if to_the_left:
        rows, direction = mirrored(rows), -1
    level = read_level(rows)
    start = first_state(level)
    end = TILE * len(rows[0])
    x = min(max(start.x - TILE // 2 + pixel, HALF_WIDTH), end - HALF_WIDTH)
    y = start.y
    while blocked(level, x, y):
        y -= TILE  # the box may be in the next column's ground
    state = State(x, y)
    while not state.grounded:
        state = step(level, state, ".")
    state = State(state.x, state.y, speed, 0, grounded=True)
    tiles = motion.compile_tiles(rows)
    seen = (state.x + LEFT, state.y + TOP, state.vx, state.vy, state.grounded)
    wall = end - HALF_WIDTH if direction > 0 else HALF_WIDTH
    for _ in range(end // RUN + 2 * RUN):
        before = state
        state = step(level, state, "r" if direction > 0 else "l")
        seen = motion.move(tiles, *seen, direction, False)
        assert seen == (state.x + LEFT, state.y + TOP, state.vx, state.vy, state.grounded)
        assert state.grounded
        if before.vx * direction < 0:
            continue  # it turns, perhaps at the wall behind it
        faster = min(before.vx * direction + 1, RUN)
        assert state.vx * direction == (faster if abs(wall - before.x) >= faster else 0)
    assert state.x == wall


@pytest.mark.slow
@settings(max_examples=300)
@given(hillsides(), KEYS, st.booleans())
def test_the_search_moves_on_slopes_as_the_rules_do(rows: list[str], moves: str, turned: bool) -> None:
    rows = mirrored(rows) if turned else rows
    tiles = motion.compile_tiles(rows)
    level = read_level(rows)
    state = first_state(level)
    seen = (state.x + LEFT, state.y + TOP, 0, 0, False)
    for letter in moves:
        state = step(level, state, letter)
        seen = motion.move(tiles, *seen, DIRECTIONS[letter], letter in HELD)
        assert seen == (state.x + LEFT, state.y + TOP, state.vx, state.vy, state.grounded)
        assert not blocked(level, state.x, state.y)


def test_a_low_ceiling_over_a_slope_stops_the_walker_where_it_is_met() -> None:
    rows = ["." * 11 + "G", "#" * 8 + "." * 4, "." * 12, "S....//#####", "#" * 12]
    last = [*play(rows, "r" * 60)][-1]
    assert last.grounded
    assert last.x == TILE * 12 - HALF_WIDTH  # a tile over the plateau: they get through
    low = [rows[0], rows[1], "." * 6 + "##....", *rows[3:]]
    last = [*play(low, "r" * 60)][-1]
    assert (last.x, last.grounded) == (TILE * 6 - HALF_WIDTH, True)
    assert solve(low).status != "solved"


def test_a_jump_at_the_upper_end_of_a_slope_keeps_its_speed() -> None:
    rows = slope_to_plateau(1, 0)
    for wait in range(4):
        moves = "." * wait + "r" * 22
        for jump in range(12, 22):
            *_, before, after = play(rows, moves[:jump] + "R")
            assert after.vx == min(before.vx + 1, RUN)


def test_the_solver_walks_up_what_was_a_trap() -> None:
    rows = slope_to_plateau(2, 0)
    rows[5], rows[11] = "." * 40, "." * 39 + "G"
    outcome = solve(rows)
    assert outcome.status == "solved"
    assert replay(rows, outcome.moves)
