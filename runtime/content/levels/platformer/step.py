"""The platformer's rules, one tick at a time: the reference for engines that play its levels.

    level = read_level(rows)
    state = first_state(level)
    for letter in moves:
        state = step(level, state, letter)

`step` shows the order of things in a tick; the functions below it are the parts of a tick, in that order. It needs only
Python, platformer_level for the tiles and enemies, and the numbers in platformer_physics. Every number is an integer:
`//` rounds down, and `%` is never negative. docs/levels.md has the same rules in words, docs/vectors/platformer.json
the state after every tick of some short games. The search has its own implementation of these rules, platformer_motion;
tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runtime.content.levels.platformer.level import Enemy, Level, surface
from runtime.content.levels.platformer.physics import (
    BOUNCE,
    COINS,
    CUT,
    DIRECTIONS,
    ENEMY_INSET,
    FALL,
    FLUID,
    GOALS,
    GRAVITY,
    HALF_WIDTH,
    HEIGHT,
    HELD,
    HIGH_BOUNCE,
    HURTS,
    JUMP,
    MERCY,
    ONE_WAY,
    RUN,
    RUNNING,
    RUNNING_JUMP,
    SINK,
    SOLID,
    SPRING,
    SPRING_JUMP,
    STARTS,
    STEP,
    STROKE,
    SWIM,
)
from runtime.content.levels.rules import TILE

PLAYING, COMPLETE = "playing", "complete"
FELL, HURT, CAUGHT = "out of the level", "hurt", "caught by an enemy"
DEATHS = (FELL, HURT, CAUGHT)


@dataclass(frozen=True)
class State:
    """The game after `tick` ticks.

    `x`: the middle of the player's box, which holds the pixels x - 6 to x + 5. `y`: the row of pixels under the feet;
    the box holds y - 14 to y - 1. `vx`, `vy`: pixels a tick, vy downwards. `stomped`: the numbers of the enemies that
    are gone. `coins`: the (row, column) of those that were touched. `outcome`: PLAYING, COMPLETE or one of DEATHS.
    """

    x: int
    y: int
    vx: int = 0
    vy: int = 0
    grounded: bool = False
    tick: int = 0
    stomped: frozenset[int] = frozenset()
    coins: frozenset[tuple[int, int]] = frozenset()
    outcome: str = PLAYING


def first_state(level: Level) -> State:
    """The player in the middle of the start's tile, with the feet at its bottom. They are not on the ground yet."""
    row, column = next(level.places(STARTS))
    return State(TILE * column + TILE // 2, TILE * (row + 1))


def step(level: Level, state: State, letter: str) -> State:
    """The state one tick later, with the keys of a letter of DIRECTIONS held.

    Raises:
        ValueError: the player is dead.
        KeyError: there is no such letter.
    """
    if state.outcome in DEATHS:
        raise ValueError(f"the player is dead ({state.outcome}); no tick follows")
    direction, jump = DIRECTIONS[letter], letter in HELD
    x, y, vx, vy, grounded = state.x, state.y, state.vx, state.vy, state.grounded

    # 1. Speed. Water and climbable tiles count where the middle of the body was after the last tick.
    swims = level.tile(x // TILE, (y - HEIGHT // 2) // TILE) in FLUID
    vx = speed_sideways(vx, direction, SWIM if swims else RUN)
    if swims:
        vy, grounded = speed_in_water(level, x, y, vy, jump), False
    elif grounded and jump:
        vy, grounded = speed_of_jump(level, x, y, vx), False

    # 2. Sideways, along the ground or through the air.
    x, y, vx, grounded = moved_sideways(level, x, y, vx, grounded)

    # 3. Up or down. Who left the ground by walking has vy 0 and falls from the next tick on.
    if vy < 0:
        y, vy = risen(level, x, y, vy)
    elif vy > 0:
        y, vy, grounded = fallen(level, x, y, vy)

    # 4. Gravity.
    if not grounded and not swims:
        vy = min(vy + CUT, 0) if vy < 0 and not jump else min(vy + GRAVITY, FALL)

    # 5. What the player meets where they are now.
    tick, stomped, outcome = state.tick + 1, state.stomped, state.outcome
    if y - HEIGHT >= TILE * len(level.rows):
        outcome = FELL
    elif touched(level, x, y, HURTS, MERCY):
        outcome = HURT
    else:
        for number in touching_enemies(level, x, y, tick):
            if number in stomped:
                continue
            if not stomps(level.enemies[number], tick, state.y, y):
                outcome = CAUGHT
                break
            stomped |= {number}
            vy, grounded = -(HIGH_BOUNCE if jump else BOUNCE), False
    if outcome == PLAYING and touched(level, x, y, GOALS):
        outcome = COMPLETE
    coins = state.coins.union(touched(level, x, y, COINS))
    return State(x, y, vx, vy, grounded, tick, stomped, coins, outcome)


# --- 1. speed ---------------------------------------------------------------------------------------------------------


def speed_sideways(vx: int, direction: int, fastest: int) -> int:
    """One more towards `direction` (-1, 0, 1), two if that is against vx; without a direction one less, down to 0."""
    if direction == 0:
        vx -= (vx > 0) - (vx < 0)
    else:
        vx += direction * (2 if vx * direction < 0 else 1)
    return max(-fastest, min(fastest, vx))


def speed_in_water(level: Level, x: int, y: int, vy: int, jump: bool) -> int:
    """Up with jump held, faster where the next tile above is neither water nor climbable nor solid; else sinking."""
    if not jump:
        return min(vy + 1, SINK)
    above = level.tile(x // TILE, (y - HEIGHT // 2) // TILE - 1)
    return -STROKE if above in FLUID + SOLID else -JUMP


def speed_of_jump(level: Level, x: int, y: int, vx: int) -> int:
    """Of a jump off the ground; vx is this tick's, so the tick in which RUNNING is reached counts."""
    if y % TILE == 0 and any(level.tile(column, y // TILE) in SPRING for column in columns(x)):
        return -SPRING_JUMP
    return -RUNNING_JUMP if abs(vx) >= RUNNING else -JUMP


# --- 2. sideways ------------------------------------------------------------------------------------------------------


def moved_sideways(level: Level, x: int, y: int, vx: int, grounded: bool) -> tuple[int, int, int, bool]:
    """x, y, vx and whether the player is on the ground, after a move by vx.

    What is in the way but for the lowest STEP pixels of a walker is a wall, unless the feet are lifted over it. Where
    the feet were to go but the body doesn't fit, under a low ceiling, the player stops where they are.
    """
    floor = ground_of(level, x, y) if grounded else lift_of(level, y)
    to = x + vx
    feet = floor(to)
    if blocked(level, to, y, STEP if grounded else 0) and (feet is None or blocked(level, to, feet)):
        to, vx = beside_wall(to, vx), 0
        feet = floor(to)
    if blocked(level, to, y if feet is None else feet):
        return x, y, 0, grounded
    if feet is None:
        return to, y, vx, False
    return to, feet, vx, grounded


def ground_of(level: Level, x: int, y: int) -> Callable[[int], int | None]:
    """Where the feet of a walker at (x, y) come to stand at another x; None where there is no ground.

    A slope under the middle of the feet comes first, else it is the highest tile that bears any part of them; each up
    to STEP higher or lower than the feet. Where a solid tile beside a slope holds the feet above it, `lower` counts
    from the slope.
    """
    held_over = slope_at(level, x, y, y + STEP)
    lowest = (y if held_over is None else held_over) + STEP

    def ground(to: int) -> int | None:
        slope = slope_at(level, to, y - STEP, lowest)
        return flat_at(level, to, y - STEP, y + STEP) if slope is None else raised(level, to, slope)

    return ground


def lift_of(level: Level, y: int) -> Callable[[int], int | None]:
    """Where feet in the air are lifted onto a slope that they are up to STEP under; None where there is none."""

    def lift(to: int) -> int | None:
        slope = slope_at(level, to, y - STEP, y)
        return None if slope is None else raised(level, to, slope)

    return lift


def raised(level: Level, x: int, y: int) -> int:
    """Feet on a slope at (x, y); on top of the tile beside it, if they would be in a solid one up to STEP deep."""
    row = (y - 1) // TILE
    beside = any(level.tile(column, row) in SOLID for column in columns(x))
    return TILE * row if beside and y - TILE * row <= STEP else y


def slope_at(level: Level, x: int, highest: int, lowest: int) -> int | None:
    """The highest slope's surface at x with highest <= surface <= lowest."""
    for row in range((highest - 1) // TILE, lowest // TILE + 1):
        y = surface(level, x, row)
        if y is not None and highest <= y <= lowest:
            return y
    return None


def flat_at(level: Level, x: int, highest: int, lowest: int) -> int | None:
    """The highest top, of a tile that bears and is under the box, with highest <= top <= lowest."""
    for row in range(-(-highest // TILE), lowest // TILE + 1):
        if any(level.tile(column, row) in SOLID + ONE_WAY for column in columns(x)):
            return TILE * row
    return None


def columns(x: int) -> range:
    """The columns of tiles that the player's box is in."""
    return range((x - HALF_WIDTH) // TILE, (x + HALF_WIDTH - 1) // TILE + 1)


def blocked(level: Level, x: int, y: int, knees: int = 0) -> bool:
    """Whether the player's box, without its lowest `knees` pixels, is in a solid tile."""
    rows = range((y - HEIGHT) // TILE, (y - knees - 1) // TILE + 1)
    return any(level.tile(column, row) in SOLID for column in columns(x) for row in rows)


def beside_wall(x: int, vx: int) -> int:
    """The x at which the box touches the wall that its front is in."""
    if vx > 0:
        return (x + HALF_WIDTH - 1) // TILE * TILE - HALF_WIDTH
    return (x - HALF_WIDTH) // TILE * TILE + TILE + HALF_WIDTH


# --- 3. up or down ----------------------------------------------------------------------------------------------------


def risen(level: Level, x: int, y: int, vy: int) -> tuple[int, int]:
    """y and vy after a move up, which ends under the first solid tile."""
    for row in range((y - HEIGHT - 1) // TILE, (y + vy - HEIGHT) // TILE - 1, -1):
        if any(level.tile(column, row) in SOLID for column in columns(x)):
            return TILE * (row + 1) + HEIGHT, 0
    return y + vy, vy


def fallen(level: Level, x: int, y: int, vy: int) -> tuple[int, int, bool]:
    """y, vy and whether the player is on the ground after a move down, which ends on a slope or what bears."""
    landings = [top for top in (slope_at(level, x, y, y + vy), flat_at(level, x, y, y + vy)) if top is not None]
    return (min(landings), 0, True) if landings else (y + vy, vy, False)


# --- 5. what the player meets -----------------------------------------------------------------------------------------


def touched(level: Level, x: int, y: int, chars: str, margin: int = 0) -> list[tuple[int, int]]:
    """The (row, column) of the tiles of `chars` that the player's box, less a margin on each side, is in."""
    across = range((x - HALF_WIDTH + margin) // TILE, (x + HALF_WIDTH - margin - 1) // TILE + 1)
    down = range((y - HEIGHT + margin) // TILE, (y - margin - 1) // TILE + 1)
    return [(row, column) for row in down for column in across if level.tile(column, row) in chars]


def touching_enemies(level: Level, x: int, y: int, tick: int) -> Iterator[int]:
    """The numbers of the enemies whose box the player's box is in; those that are gone are among them."""
    for number, enemy in enumerate(level.enemies):
        left, top = enemy.at(tick)
        if (
            left + ENEMY_INSET - HALF_WIDTH < x < left + TILE - ENEMY_INSET + HALF_WIDTH
            and top + ENEMY_INSET < y < top + TILE + HEIGHT
        ):
            yield number


def stomps(enemy: Enemy, tick: int, old_y: int, y: int) -> bool:
    """Whether feet that were at old_y before the tick came down on the enemy, which is where it is after the tick."""
    _, top = enemy.at(tick)
    return enemy.stompable and old_y < y and old_y <= top + TILE // 2
