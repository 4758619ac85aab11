"""The platformer: the search's physics against the player's, what jumps reach, and what can be proved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_platformers import KEYS, hillsides, worlds

from runtime.content.levels.platformer import motion
from runtime.content.levels.platformer.level import read_level
from runtime.content.levels.platformer.physics import DIRECTIONS, HEIGHT, HELD
from runtime.content.levels.platformer.reach import reach
from runtime.content.levels.platformer.replay import path, replay
from runtime.content.levels.platformer.solver import solve
from runtime.content.levels.platformer.step import CAUGHT, COMPLETE, DEATHS, FELL, HURT, State, first_state, step
from runtime.content.levels.rules import TILE, IllegalMove

LEFT, TOP = TILE * motion.MARGIN, TILE * motion.ABOVE  # of the level, in the search's coordinates


def gap(width: int, rise: int = 0) -> list[str]:
    """A run-up of 12 tiles, a gap, and a goal on ground `rise` tiles higher."""
    ground = max(rise, 0) + 7
    height = ground + max(-rise, 0) + 1
    rows = [["."] * (12 + width + 3) for _ in range(height)]
    for x in range(12):
        rows[ground][x] = "#"
    for y in range(ground - rise, height):
        rows[y][12 + width :] = "###"
    rows[ground - 1][0] = "S"
    rows[ground - rise - 1][-1] = "G"
    return ["".join(row) for row in rows]


def played(rows: Sequence[str], moves: str) -> State:
    """The game after the moves, up to the one that kills."""
    level = read_level(rows)
    state = first_state(level)
    for move in moves:
        if state.outcome not in DEATHS:
            state = step(level, state, move)
    return state


@settings(max_examples=300)
@given(worlds(), KEYS)
def test_the_search_moves_as_the_rules_do(rows: list[str], moves: str) -> None:
    tiles = motion.compile_tiles(rows)
    enemies = motion.compile_enemies(rows, tiles)
    level = read_level(rows)
    assert len(enemies) == len(level.enemies)
    state = first_state(level)
    seen = (state.x + LEFT, state.y + TOP, state.vx, state.vy, state.grounded)
    finished = False
    for tick, letter in enumerate(moves, start=1):
        old_y = seen[1]
        seen = motion.move(tiles, *seen, DIRECTIONS[letter], letter in HELD)
        before, state = state, step(level, state, letter)
        ways = [motion.enemy_at(enemies, number, tick) for number in range(len(enemies))]
        assert ways == [(x + LEFT, y + TOP) for x, y in (enemy.at(tick) for enemy in level.enemies)]
        x, y, vx, *_ = seen
        if y >= TOP + TILE * len(rows) + HEIGHT:
            assert state.outcome == FELL
            return
        assert (state.outcome == HURT) == motion.hurt(tiles, x, y)
        met = [n for n, way in enumerate(ways) if motion.touches(x, y, *way) and n not in before.stomped]
        bad = [n for n in met if not (enemies[n, motion.STOMPABLE] and motion.stomps(old_y, y, ways[n][1]))]
        if state.outcome == HURT:
            return
        assert (state.outcome == CAUGHT) == bool(bad)
        if bad:
            return
        assert state.stomped == before.stomped | set(met)
        if met:
            seen = (x, y, vx, motion.bounce(letter in HELD), False)
        assert seen == (state.x + LEFT, state.y + TOP, state.vx, state.vy, state.grounded)
        finished = finished or motion.at_goal(tiles, x, y)
        assert (state.outcome == COMPLETE) == finished


@pytest.mark.slow
@settings(max_examples=300)
@given(worlds() | hillsides(), KEYS)
def test_nobody_gets_where_the_relaxation_does_not(rows: list[str], moves: str) -> None:
    tiles = motion.compile_tiles(rows)
    enemies = motion.compile_enemies(rows, tiles)
    row, column = next((y, line.index("S")) for y, line in enumerate(rows) if "S" in line)
    endless = tiles & ~motion.GOAL  # it stops at a goal
    reached, _, complete = reach(endless, enemies, row + motion.ABOVE, column + motion.MARGIN, 10**7)
    assert complete
    _, found, _ = reach(tiles, enemies, row + motion.ABOVE, column + motion.MARGIN, 10**7)
    level = read_level(rows)
    state = first_state(level)
    for move in moves:
        state = step(level, state, move)
        if state.outcome in DEATHS:
            break
        assert reached[(state.y - 1 + TOP) // TILE, (state.x + LEFT) // TILE]
        assert found or state.outcome != COMPLETE


@settings(max_examples=100)
@given(worlds())
def test_answers_hold(rows: list[str]) -> None:
    outcome = solve(rows, 20_000)
    assert outcome.why
    if outcome.status == "solved":
        assert replay(rows, outcome.moves)
        assert not replay(rows, outcome.moves[:-1])
        assert solve(rows, 25_000) == outcome
    else:
        assert outcome.moves == ""


@given(st.lists(st.integers(0, 3), min_size=8, max_size=30), st.integers(0, 2**20))
def test_hills_are_crossed(steps: list[int], enemies: int) -> None:
    """Ground that rises or falls by up to three tiles, with enemies on some of it."""
    heights = np.cumsum([step - 1 if i % 2 else 1 - step for i, step in enumerate(steps)])
    heights -= heights.min()
    top = int(heights.max()) + 6
    columns = []
    for x, height in enumerate(heights.repeat(3).tolist()):
        foot = (
            "S" if x == 0 else "G" if x == 3 * len(steps) - 1 else "e" if x % 7 == 5 and enemies >> x // 7 & 1 else "."
        )
        columns.append("." * (top - height) + foot + "#" * (height + 1))
    rows = ["".join(row) for row in zip(*columns, strict=True)]
    outcome = solve(rows)
    assert outcome.status == "solved"
    assert replay(rows, outcome.moves)


@pytest.mark.parametrize(
    ("width", "rise", "possible"),
    [(12, 0, True), (15, 0, False), (9, 4, True), (8, 5, True), (1, 6, False), (16, -8, True), (18, -8, False)],
)
def test_how_far_jumps_go(width: int, rise: int, possible: bool) -> None:
    outcome = solve(gap(width, rise))
    assert outcome.status == ("solved" if possible else "unsolvable")
    assert possible or "nothing leads on from row" in outcome.why


@pytest.mark.parametrize(
    "rows",
    [
        ["S....e.", "#####.#", "....#G#"],  # a drop
        ["S......G", "#...e..#", "########"],  # an enemy in a pit
        [".......", "==.....", "......G", "S..=...", "######."],  # up through a platform
        ["......G", ".....//", "...//##", "S//####", "#######"],  # slopes of two tiles
        ["..../G", "../###", "S/####", "######"],  # slopes of one tile, and a step
        ["S......", "##....G", "##~~~##", "##~~~##", "#######"],  # out of water
        ["....G", *["..H##"] * 8, "S.H##", "#####"],  # a climb
        [".....G.", *[".....##"] * 11, "S......", "##t####"],  # a trampoline
        ["S.....", "......", "......", "##^^#G", "####.#"],  # spikes
    ],
)
def test_levels_that_can_be_completed(rows: list[str]) -> None:
    outcome = solve(rows)
    assert outcome.status == "solved"
    assert replay(rows, outcome.moves)


SHUT = ["S.#.G", "#####"]
HIGH = ["G....", "....#", "..=..", ".....", ".....", ".....", ".....", "S....", "#####"]
NOTHING_TO_CLIMB = ["....G", *["...##"] * 8, "S..##", "#####"]
NO_TRAMPOLINE = [".....G.", *[".....##"] * 11, "S......", "#######"]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (SHUT, "what is solid shuts the start off from every goal"),
        (HIGH, "nothing leads on from row 2, column 0"),
        (NOTHING_TO_CLIMB, "nothing leads on from row 4, column 2"),
        (NO_TRAMPOLINE, "nothing leads on from row 7, column 4"),
    ],
)
def test_levels_that_cannot(rows: list[str], why: str) -> None:
    outcome = solve(rows)
    assert (outcome.status, outcome.moves) == ("unsolvable", "")
    assert why in outcome.why


def test_what_cannot_be_proved_is_unknown() -> None:
    passage = ["#######", "S..k..G", "#######"]  # the relaxation has no enemies
    outcome = solve(passage)
    assert outcome.status == "unknown"
    assert "none of" in outcome.why
    short = solve(gap(12), 20)
    assert (short.status, short.nodes, short.why) == ("unknown", 20, "the budget of 20 nodes ran out")


def test_a_stomp_rids_of_an_enemy_but_not_of_every_kind() -> None:
    state = played(["S#.", "e#G", "###"], "." * 60)
    assert state.stomped == {0}
    assert state.tick == 60
    with pytest.raises(IllegalMove, match=r"move \d, '\.': caught by an enemy at x 8"):
        replay(["S#.", "k#G", "###"], "." * 60)


@pytest.mark.parametrize(
    ("rows", "moves", "what"),
    [
        (["S..G", "#..#"], "r" * 40, "out of the level"),
        (["S..G", "#^^#"], "r" * 40, "hurt"),
        (["S.G", "###"], "rrx", "move 2, 'x': there are only"),
    ],
)
def test_illegal_moves(rows: list[str], moves: str, what: str) -> None:
    with pytest.raises(IllegalMove, match=what):
        replay(rows, moves)


def test_the_path_is_where_the_player_is() -> None:
    rows = ["S..G", "####"]
    places = path(rows, solve(rows).moves)
    assert places[0] == (TILE // 2, TILE - 7)
    assert places[-1][0] > 3 * TILE - 7
    assert {y for _, y in places} == {TILE - 7}
