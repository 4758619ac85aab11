"""The platformer played tick by tick, to verify a solution. It shares no code with the search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.content.levels.platformer_physics import (
    BOUNCE,
    CUT,
    DIRECTIONS,
    ENEMY_INSET,
    FALL,
    FLUID,
    FLYERS,
    GRAVITY,
    HALF_WIDTH,
    HEIGHT,
    HELD,
    HIGH_BOUNCE,
    HOVER,
    HURTS,
    JUMP,
    MERCY,
    ONE_WAY,
    PATROL,
    RUN,
    RUNNING,
    RUNNING_JUMP,
    SINK,
    SLOPES,
    SOLID,
    SPRING,
    SPRING_JUMP,
    STEP,
    STOMPABLE,
    STROKE,
    SWIM,
    WALKERS,
)
from runtime.content.levels.rules import PLATFORMER, TILE, IllegalMove, check_rows


@dataclass(frozen=True)
class Player:
    """`x`: the middle, `y`: the row of pixels under the feet, in pixels; speeds in pixels a tick, y downwards."""

    x: int
    y: int
    vx: int = 0
    vy: int = 0
    grounded: bool = False


@dataclass(frozen=True)
class Patrol:
    """An enemy's way: to and fro between `low` and `high` pixels along one axis, first towards low."""

    walks: bool
    stompable: bool
    across: int  # its place on the other axis
    low: int
    high: int
    start: int

    def at(self, tick: int) -> tuple[int, int]:
        """Its tile's left and top pixel."""
        span = self.high - self.low
        along = self.start
        if span:
            travelled = (self.high - self.start + (PATROL if self.walks else HOVER) * tick) % (2 * span)
            along = self.high - travelled if travelled <= span else self.low + travelled - span
        return (along, self.across) if self.walks else (self.across, along)


def replay(rows: Sequence[str], moves: str) -> bool:
    """Whether `moves` lead from the start to a goal.

    Raises:
        IllegalMove: a letter that is none, or a tick in which the player is hurt or falls out of the level.
        ValueError: rows are no level, as check_rows says.
    """
    finished = False
    world = World(rows)
    for _ in world.play(moves):
        finished = finished or world.finished
    return finished


def path(rows: Sequence[str], moves: str) -> list[tuple[int, int]]:
    """Where the player's middle is, x and y in pixels, before the first of `moves` and after each. Raises as replay."""
    return [(player.x, player.y - HEIGHT // 2) for player in World(rows).play(moves)]


class World:
    """A level in play. `tick` counts the moves made, `stomped` holds the enemies that are gone."""

    def __init__(self, rows: Sequence[str]) -> None:
        check_rows(PLATFORMER, rows)
        self.rows = rows
        row, column = next((y, line.index("S")) for y, line in enumerate(rows) if "S" in line)
        self.player = Player(TILE * column + TILE // 2, TILE * (row + 1))
        self.enemies = [enemy for enemy in map(self._patrol, self._places(WALKERS + FLYERS)) if enemy]
        self.stomped: set[int] = set()
        self.tick = 0

    # --- the level --------------------------------------------------------------------------------------------------

    def tile(self, column: int, row: int) -> str:
        """A tile; the sides are walls, the first row's solid tiles go on above it, nothing is below the last."""
        if not 0 <= column < len(self.rows[0]):
            return "#"
        if row < 0:
            return "#" if self.rows[0][column] in SOLID else "."
        return self.rows[row][column] if row < len(self.rows) else "."

    def bears(self, column: int, row: int) -> bool:
        """Whether one can stand on the tile's top."""
        return self.tile(column, row) in SOLID + ONE_WAY

    def surface(self, x: int, row: int) -> int | None:
        """The height (y) of the slope at x in a row. A run of n slope tiles side by side rises by one tile."""
        column = x // TILE
        char = self.tile(column, row)
        if char not in SLOPES:
            return None
        first = last = column
        while self.tile(first - 1, row) == char:
            first -= 1
        while self.tile(last + 1, row) == char:
            last += 1
        if char == "/":
            ends = TILE * (column - first) // (last - first + 1), TILE * (column - first + 1) // (last - first + 1)
        else:
            ends = TILE * (last - column + 1) // (last - first + 1), TILE * (last - column) // (last - first + 1)
        height = ends[0] + (ends[1] - ends[0]) * (x % TILE) // TILE
        return TILE * (row + 1) - height

    def _places(self, chars: str) -> Iterator[tuple[int, int]]:
        return ((y, x) for y, row in enumerate(self.rows) for x, char in enumerate(row) if char in chars)

    def _patrol(self, place: tuple[int, int]) -> Patrol | None:
        """The way of the enemy that starts at (row, column); None for a walker that falls out of the level."""
        row, column = place
        char = self.rows[row][column]
        stompable = char in STOMPABLE
        if char in FLYERS:
            ends = [r if self.tile(column, r) not in SOLID else row for r in (row - 1, row + 1)]
            return Patrol(False, stompable, TILE * column, TILE * ends[0], TILE * ends[1], TILE * row)

        def floor(column: int, row: int) -> bool:
            return self.bears(column, row) or self.tile(column, row) in SLOPES

        def free(column: int, row: int) -> bool:
            return self.tile(column, row) not in SOLID + SLOPES and floor(column, row + 1)

        while not floor(column, row + 1):
            row += 1
            if row >= len(self.rows):
                return None
        left = right = column
        while free(left - 1, row):
            left -= 1
        while free(right + 1, row):
            right += 1
        return Patrol(True, stompable, TILE * row, TILE * left, TILE * right, TILE * column)

    # --- the player -------------------------------------------------------------------------------------------------

    def play(self, moves: str) -> Iterator[Player]:
        """Make the moves, and give the player before the first and after each. Raises IllegalMove."""
        yield self.player
        for number, move in enumerate(moves):
            if move not in DIRECTIONS:
                raise IllegalMove(f"move {number}, {move!r}: there are only {', '.join(DIRECTIONS)}")
            before, self.player = self.player, self.moved(DIRECTIONS[move], move in HELD)
            self.tick += 1
            harm = self.harm(before, move in HELD)
            if harm:
                raise IllegalMove(f"move {number}, {move!r}: {harm} at x {self.player.x}, y {self.player.y}")
            yield self.player

    def moved(self, direction: int, jump: bool) -> Player:
        """The player one tick later, among tiles alone."""
        p = self.player
        swims = self.tile(p.x // TILE, (p.y - HEIGHT // 2) // TILE) in FLUID
        vx = self.speed_sideways(p.vx, direction, SWIM if swims else RUN)
        vy, grounded = p.vy, p.grounded and not swims
        if swims:
            above = self.tile(p.x // TILE, (p.y - HEIGHT // 2) // TILE - 1)
            out = above not in FLUID + SOLID
            vy = min(vy + 1, SINK) if not jump else -JUMP if out else -STROKE
        elif grounded and jump:
            on_spring = any(self.tile(c, p.y // TILE) in SPRING for c in self.columns(p.x))
            vy = -(SPRING_JUMP if on_spring and p.y % TILE == 0 else RUNNING_JUMP if abs(vx) >= RUNNING else JUMP)
            grounded = False
        p = self.walked(p, vx) if grounded else self.drifted(p, vx)
        if p.grounded:
            return p
        p = self.risen(p, vy) if vy < 0 else self.fallen(p, vy)
        if not p.grounded and not swims:
            vy = p.vy
            vy = min(vy + CUT, 0) if vy < 0 and not jump else min(vy + GRAVITY, FALL)
            p = Player(p.x, p.y, p.vx, vy, False)
        return p

    @staticmethod
    def speed_sideways(vx: int, direction: int, fastest: int) -> int:
        """One more towards the direction, two against the way one goes; without a direction one slower."""
        if direction == 0:
            vx -= (vx > 0) - (vx < 0)
        else:
            vx += direction * (2 if vx * direction < 0 else 1)
        return max(-fastest, min(fastest, vx))

    @staticmethod
    def columns(x: int) -> range:
        """The columns that the player's box is in."""
        return range((x - HALF_WIDTH) // TILE, (x + HALF_WIDTH - 1) // TILE + 1)

    def blocked(self, x: int, y: int, knees: int = 0) -> bool:
        """Whether the player's box, without its lowest `knees` pixels, is in something solid."""
        rows = range((y - HEIGHT) // TILE, (y - knees - 1) // TILE + 1)
        return any(self.tile(c, r) in SOLID for c in self.columns(x) for r in rows)

    def sideways(self, p: Player, vx: int, knees: int) -> tuple[int, int]:
        """x and speed after a step sideways; up to the wall where there is one."""
        x = p.x + vx
        if not self.blocked(x, p.y, knees):
            return x, vx
        if vx > 0:
            return (x + HALF_WIDTH - 1) // TILE * TILE - HALF_WIDTH, 0
        return (x - HALF_WIDTH) // TILE * TILE + TILE + HALF_WIDTH, 0

    def slope(self, x: int, highest: int, lowest: int) -> int | None:
        """The highest slope's surface at x with highest <= y <= lowest."""
        for row in range((highest - 1) // TILE, lowest // TILE + 1):
            y = self.surface(x, row)
            if y is not None and highest <= y <= lowest:
                return y
        return None

    def flat(self, x: int, highest: int, lowest: int) -> int | None:
        """The highest tile's top under the box with highest <= y <= lowest."""
        for row in range(-(-highest // TILE), lowest // TILE + 1):
            if any(self.bears(c, row) for c in self.columns(x)):
                return row * TILE
        return None

    def walked(self, p: Player, vx: int) -> Player:
        """A step on the ground: up or down with it, or over its edge."""
        x, vx = self.sideways(p, vx, STEP)
        y = self.slope(x, p.y - STEP, p.y + STEP)
        if y is None:
            y = self.flat(x, p.y - STEP, p.y + STEP)
        if y is None:
            y, grounded = p.y, False
        else:
            grounded = True
        if self.blocked(x, y):
            return Player(p.x, p.y, 0, 0, True)
        return Player(x, y, vx, 0, grounded)

    def drifted(self, p: Player, vx: int) -> Player:
        """A step through the air; feet that come a little under a slope are lifted onto it."""
        x, vx = self.sideways(p, vx, 0)
        y = self.slope(x, p.y - STEP, p.y)
        if y is None:
            return Player(x, p.y, vx)
        if self.blocked(x, y):
            return Player(p.x, p.y, 0)
        return Player(x, y, vx)

    def risen(self, p: Player, vy: int) -> Player:
        for row in range((p.y - HEIGHT - 1) // TILE, (p.y + vy - HEIGHT) // TILE - 1, -1):
            if any(self.tile(c, row) in SOLID for c in self.columns(p.x)):
                return Player(p.x, TILE * (row + 1) + HEIGHT, p.vx, 0)
        return Player(p.x, p.y + vy, p.vx, vy)

    def fallen(self, p: Player, vy: int) -> Player:
        if vy > 0:
            landings = [y for y in (self.slope(p.x, p.y, p.y + vy), self.flat(p.x, p.y, p.y + vy)) if y is not None]
            if landings:
                return Player(p.x, min(landings), p.vx, 0, True)
        return Player(p.x, p.y + vy, p.vx, vy)

    # --- what it meets ----------------------------------------------------------------------------------------------

    def inside(self, margin: int, chars: str) -> bool:
        """Whether the player's box, less a margin, is in one of the tiles."""
        x, y = self.player.x, self.player.y
        columns = range((x - HALF_WIDTH + margin) // TILE, (x + HALF_WIDTH - margin - 1) // TILE + 1)
        rows = range((y - HEIGHT + margin) // TILE, (y - margin - 1) // TILE + 1)
        return any(self.tile(c, r) in chars for c in columns for r in rows)

    @property
    def finished(self) -> bool:
        """Whether the player touches a goal."""
        return self.inside(0, "G")

    def harm(self, before: Player, jump: bool) -> str:
        """What kills the player in this tick, or ""; enemies are stomped here."""
        if self.player.y - HEIGHT >= TILE * len(self.rows):
            return "out of the level"
        if self.inside(MERCY, HURTS):
            return "hurt"
        for number, enemy in enumerate(self.enemies):
            left, top = enemy.at(self.tick)
            p = self.player
            apart = (
                p.x + HALF_WIDTH <= left + ENEMY_INSET
                or p.x - HALF_WIDTH >= left + TILE - ENEMY_INSET
                or p.y <= top + ENEMY_INSET
                or p.y - HEIGHT >= top + TILE
            )
            if apart or number in self.stomped:
                continue
            if not (enemy.stompable and before.y <= top + TILE // 2 and before.y < p.y):
                return "caught by an enemy"
            self.stomped.add(number)
            self.player = Player(p.x, p.y, p.vx, -(HIGH_BOUNCE if jump else BOUNCE), False)
        return ""
