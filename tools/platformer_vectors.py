"""The platformer's test vectors for engines, docs/vectors/platformer.json: short games, and the state after every tick.

    python tools/platformer_vectors.py     # writes the file anew, after the rules or the games have changed

The states are those of platformer_step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.content.levels.candidates import pick
from runtime.content.levels.platformer.game import PLATFORMER
from runtime.content.levels.platformer.level import Level, read_level
from runtime.content.levels.platformer.solver import LETTERS
from runtime.content.levels.platformer.step import DEATHS, State, first_state, step

FILE = Path(__file__).parents[1] / "docs" / "vectors" / "platformer.json"
ABOUT = {
    "game": "platformer",
    "rules": "docs/levels.md, runtime/content/levels/platformer/step.py",
    "cases": "rows: the level; moves: a letter a tick; start: the state before the first; ticks: the state after each",
    "x": "the middle of the player's box, which holds the pixels x - 6 to x + 5",
    "y": "the row of pixels under the feet; the box holds y - 14 to y - 1",
    "vx, vy": "pixels a tick, downwards and to the right; vy is the speed that the next tick begins with",
    "coins": "how many coins were touched so far",
    "enemies": "left and top pixel of each one's tile, null once it is stomped; in row-major order of where they start",
    "outcome": "playing, complete (from the first touch of a goal on), or how the player died",
}


@dataclass(frozen=True)
class Game:
    """A short game: what it shows, the level, the moves."""

    name: str
    shows: str
    rows: tuple[str, ...]
    moves: str


def held(*keys: tuple[str, int]) -> str:
    """The moves of keys that are held for so many ticks each."""
    return "".join(letter * ticks for letter, ticks in keys)


FLAT = ("." * 22, "S" + "." * 20 + "G", "#" * 22)
HIGH = (*["." * 24] * 8, "S" + "." * 22 + "G", "#" * 24)
CLIFF = ("S.....", "#.....", "......", ".....G", ".#####")
PLATEAU = ("." * 14, "S.../" + "#" * 8 + "G", "#" * 14)
HILL = (*["." * 20] * 3, "." * 10 + "/\\" + "." * 8, "S....//" + "#" * 8 + "\\\\..G", "#" * 20)
STAIRS = (*["." * 13] * 2, "......../##.G", "......//#####", "S..///#######", "#" * 13)
POND = ("." * 12, "S..........G", "##~~~~~~####", "##~~~~~~####", "##~~~~~~####", "#" * 12)
LADDER = ("......", "..H..G", "..H###", "..H...", "..H...", "S.H...", "######")


def _with(enemy: str) -> tuple[str, ...]:
    """A drop of three tiles to where an enemy is."""
    return ("......", "S....G", "##....", "##....", f"##.{enemy}..", "######")


GAMES = (
    Game("start", "the start's x; not on the ground in the first tick, and on it after two", FLAT, held((".", 4))),
    Game(
        "falling start",
        "no fall at vy 0; then one faster each tick, 15 at most",
        ("S.", *[".."] * 15, ".G", "##"),
        held((".", 25)),
    ),
    Game(
        "running",
        "the speed changes first, then one moves; 7 at most; the loss stops at 0",
        FLAT,
        held((".", 2), ("r", 10), (".", 9), ("r", 2), (".", 4)),
    ),
    Game(
        "turning",
        "two a tick against the way one goes, from 1 to -1",
        FLAT,
        held((".", 2), ("r", 8), ("l", 9), (".", 8)),
    ),
    Game("walls", "left and right of the level is wall", ("S..G", "####"), held((".", 2), ("l", 6), ("r", 14))),
    Game("ledge", "no fall in the tick that leaves a ledge", CLIFF, held((".", 2), ("r", 12), (".", 9))),
    Game("jump", "11 from standing, 1 slower each tick with jump held", HIGH, held((".", 2), ("J", 23), (".", 2))),
    Game(
        "short jump", "3 slower each tick once jump is released, down to 0", HIGH, held((".", 2), ("J", 3), (".", 13))
    ),
    Game(
        "jump at 5",
        "the speed of the tick itself decides: from 4 to 5 is no high jump",
        HIGH,
        held((".", 2), ("r", 4), ("R", 12)),
    ),
    Game(
        "jump at 6",
        "the speed of the tick itself decides: from 5 to 6 is a high jump",
        HIGH,
        held((".", 2), ("r", 5), ("R", 14)),
    ),
    Game("slowing from 7 to 6, a jump", "a high jump", HIGH, held((".", 2), ("r", 9), ("J", 6))),
    Game("slowing from 6 to 5, a jump", "no high jump", HIGH, held((".", 2), ("r", 6), ("J", 6))),
    Game("jump held on", "a new jump in the tick after each landing", HIGH, held((".", 2), ("R", 40))),
    Game(
        "ceiling",
        "under a solid tile the rise ends, and the fall begins",
        ("......", "..##..", "......", "......", "S....G", "######"),
        held((".", 2), ("r", 6), ("J", 20)),
    ),
    Game("first row", "its solid tiles go on above the level", ("S.#G", "##.#", "...."), held((".", 2), ("R", 14))),
    Game(
        "above the level",
        "where the first row is air, so is all above it",
        ("S..#G", "####."),
        held((".", 2), ("R", 20)),
    ),
    Game(
        "wall in the air",
        "up to the wall, without the speed",
        ("......", "....#.", "....#.", "S...#G", "######"),
        held((".", 2), ("r", 5), ("R", 10), ("r", 10)),
    ),
    Game(
        "platform",
        "up through it, down onto it",
        (*["....."] * 4, "===..", ".....", "S...G", "#####"),
        held((".", 2), ("J", 14), (".", 10), ("r", 14)),
    ),
    Game(
        "moving platform",
        "it rests where it is drawn",
        ("....", ".mm.", "S..G", "####"),
        held((".", 2), ("R", 8), (".", 12)),
    ),
    Game(
        "trampoline",
        "20 where one is under any part of the box, whatever the speed",
        (*["...."] * 13, "S..G", "#t##"),
        held((".", 2), ("r", 4), ("R", 30), ("r", 16)),
    ),
    Game(
        "trampoline at a slope",
        "none from the slope beside it; 20 once the feet are on its top",
        ("......", "S....G", "../t##", "######"),
        held((".", 12), ("r", 7), ("J", 3), (".", 12), ("r", 5), ("J", 6)),
    ),
    *(
        Game(
            f"slope of one tile, {lead} ticks ahead",
            "at its upper end lifted onto the tile beside it, no speed lost; and down again",
            PLATEAU,
            held((".", 2), ("r", lead), (".", lead), ("r", 16), ("l", 26)),
        )
        for lead in range(4)
    ),
    Game("hill", "slopes of one and two tiles, up and down, at a run", HILL, held((".", 2), ("r", 50), ("l", 50))),
    Game("slow hill", "the same at 1 and 2 a tick", HILL, held((".", 2), ("r", 12), (".", 7)) + "r." * 20 + "rr.." * 9),
    Game(
        "slopes of three, two and one tiles",
        "three tiles rise by 5, 5 and 6 pixels; slope after slope",
        STAIRS,
        held((".", 2), ("r", 34), ("l", 34)),
    ),
    Game(
        "jump up a slope",
        "feet that come under a slope sideways are lifted onto it, then rise",
        HILL,
        held((".", 2), ("r", 14), ("R", 4), (".", 16)),
    ),
    Game(
        "jump down a slope",
        "sideways as in the air, not down with the slope",
        HILL,
        held((".", 2), ("r", 37), ("R", 3), ("r", 10)),
    ),
    Game(
        "jump at a slope's upper end",
        "lifted onto the tile beside it, no speed lost",
        PLATEAU,
        held((".", 2), ("r", 13), ("R", 3), ("r", 10)),
    ),
    Game(
        "landing beside a slope's upper end",
        "the box lands on the tile, though the slope under its middle is lower",
        ("...S....", "........", "G./##...", "########"),
        held((".", 9), ("l", 4), (".", 8)),
    ),
    Game(
        "low ceiling",
        "a walker stops on a slope where the box no longer fits",
        ("........", "......G.", "........", ".....##.", "S....//#", "########"),
        held((".", 2), ("r", 24), ("l", 6)),
    ),
    Game(
        "wall at a slope's lower end",
        "a tile whose top is more than 8 higher is a wall",
        (".......", ".....S.", "G...#//", "#######"),
        held((".", 8), ("l", 6)),
    ),
    Game(
        "through a slope",
        "only feet up to 8 under it are lifted; who comes in at its high side walks on below",
        ("........", "S..\\...G", "########"),
        held((".", 2), ("r", 18)),
    ),
    Game(
        "off a slope",
        "the feet follow what falls by up to 8 in a tick, no more",
        (".........", "....//...", "S.//.....", "#####...G", "#########"),
        held((".", 2), ("r", 26)),
    ),
    Game(
        "into water",
        "4 sideways and 2 down at most, at once, where the middle of the body is in water",
        ("S......", "#......", "#......", "#......", "#~~~~~G", "#~~~~~#", "#######"),
        held((".", 2), ("r", 16), (".", 12)),
    ),
    Game(
        "swimming",
        "up at 4 with jump held; at 11 with neither water, climbable nor solid above",
        POND,
        held((".", 2), ("r", 10), (".", 14), ("r", 4), ("R", 24), ("r", 4)),
    ),
    Game(
        "rising into water",
        "without jump one a tick towards sinking, no gravity",
        ("....", ".~~.", ".~~.", ".~~.", "....", "S..G", "####"),
        held((".", 2), ("r", 4), ("R", 2), (".", 14)),
    ),
    Game(
        "on the bottom of water",
        "on the ground after each tick, but a jump from there is a stroke",
        ("S.....", "#~~~..", "#~~~~G", "######"),
        held((".", 2), ("r", 5), (".", 22), ("J", 4), (".", 4)),
    ),
    Game(
        "under a roof in water",
        "no leap where it is solid above",
        ("S.##", "~~~G", "~~~~", "####"),
        held(("r", 14), ("J", 9)),
    ),
    Game("climbing", "as swimming", LADDER, held((".", 2), ("r", 7), ("J", 12), (".", 4), ("R", 20))),
    Game("spikes", "below a ledge", ("S..G", "#..#", "#^^#"), held((".", 2), ("r", 24))),
    Game(
        "beside spikes",
        "up to 3 pixels of the box in their tile do no harm",
        ("S.^G", "####"),
        held((".", 2), ("r", 4), (".", 3)) + "r." * 5 + "...r",
    ),
    Game("trap", "as spikes", ("S.x.G", "#####"), held((".", 2), ("r", 14))),
    Game("lava", "as spikes", ("S...G", "#LL##", "#####"), held((".", 2), ("r", 14))),
    Game("out of the level", "dead once the head is below the last row", ("S..G", "#..#"), held((".", 2), ("r", 24))),
    Game(
        "coins and a goal",
        "any part of the box takes coins and touches goals; power-ups, doors and checkpoints are air; play may go on",
        ("..o....o", "S.op.DCG", "########"),
        held((".", 2), ("R", 8), ("r", 20)),
    ),
    Game(
        "enemies walk",
        "they drop first, go left first, turn at walls, slopes and edges; slopes are floor to them",
        (
            "G.......................",
            "S..e....k....e....e.....",
            "#.................../...",
            "#..#....../\\..../\\####..",
            "####.##==######.###..##.",
            "########################",
        ),
        held((".", 70)),
    ),
    Game("an enemy in a place of one tile", "it stands", ("S....G", "###e##", "###.##", "######"), held((".", 6))),
    Game("an enemy without floor", "it is in no tick of the game", ("S.e.G", "##.##"), held((".", 4), ("r", 4))),
    Game(
        "enemies fly",
        "a tile up and a tile down, each where it isn't solid; first up",
        ("S.f.f.f.f.f.G", "#...#...=.../", "##.....#.....", "#############"),
        held((".", 70)),
    ),
    Game("stomp", "it is gone, and the player in the air, up at 6", _with("e"), held((".", 2), ("r", 7), (".", 22))),
    Game("stomp with jump held", "up at 11", _with("e"), held((".", 2), ("r", 7), (".", 1), ("J", 24))),
    Game("stomp a flyer", "as a walking enemy", _with("f"), held((".", 2), ("r", 7), (".", 22))),
    Game("no stomp", "dead: it cannot be stomped", _with("k"), held((".", 2), ("r", 9), (".", 12))),
    Game(
        "touched from the side",
        "dead: the feet did not come down",
        ("S....e.G", "########"),
        held((".", 2), ("r", 20)),
    ),
    Game(
        "touched in the fall",
        "dead: the feet came down, but were too low before the tick",
        _with("e"),
        held((".", 2), ("r", 10), (".", 5), ("l", 5)),
    ),
    Game(
        "touched from below",
        "dead",
        ("....f.G", ".......", ".......", "S......", "#######"),
        held((".", 2), ("r", 6), ("R", 16)),
    ),
)
TILES = "." * 14 + "####//\\\\=~H^ktfeo" + "".join(PLATFORMER.tiles).replace("S", "").replace("G", "")


def mixed(number: int) -> Game:
    """A game of any tiles and keys."""
    width, height = 8 + pick(number, 0, "width", 9), 4 + pick(number, 0, "height", 5)
    tiles = [TILES[pick(number, cell, "tile", len(TILES))] for cell in range(width * height)]
    start = pick(number, 0, "start", width * (height - 1))
    tiles[start], tiles[start + width] = "S", "#"
    tiles[start - 1 if start else width - 1] = "G" if number % 2 else "."
    tiles[-1] = "G"
    rows = tuple("".join(tiles[row * width : (row + 1) * width]) for row in range(height))
    keys = [(LETTERS[pick(number, k, "letter", 6)], 1 + pick(number, k, "ticks", 9)) for k in range(12)]
    return Game(f"mixed {number}", "any tiles, any keys", rows, held((".", 2), *keys))


def vectors() -> str:
    """The file's text: JSON, a tick a line."""
    cases = [_case(game) for game in (*GAMES, *map(mixed, range(24)))]
    about = ",\n".join(f"{json.dumps(key)}: {json.dumps(text)}" for key, text in ABOUT.items())
    return "{\n" + about + ',\n"cases": [\n' + ",\n".join(cases) + "\n]\n}\n"


def _case(game: Game) -> str:
    level = read_level(game.rows)
    first, *rest = (json.dumps(_told(level, state)) for state in _states(level, game.moves))
    head = {"name": game.name, "shows": game.shows, "rows": game.rows, "moves": game.moves[: len(rest)]}
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    return "{" + ",\n".join([*parts, f'"start": {first}', '"ticks": [\n' + ",\n".join(rest) + "\n]"]) + "}"


def _states(level: Level, moves: str) -> Iterator[State]:
    """The states before the first move and after each, up to the one that kills."""
    state = first_state(level)
    yield state
    for move in moves:
        if state.outcome not in DEATHS:
            state = step(level, state, move)
            yield state


def _told(level: Level, state: State) -> dict[str, object]:
    enemies = [None if n in state.stomped else enemy.at(state.tick) for n, enemy in enumerate(level.enemies)]
    return {
        "x": state.x,
        "y": state.y,
        "vx": state.vx,
        "vy": state.vy,
        "on_ground": state.grounded,
        "coins": len(state.coins),
        "enemies": enemies,
        "outcome": state.outcome,
    }


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    part = FILE.with_suffix(".part")
    part.write_text(vectors(), encoding="utf-8")
    part.replace(FILE)
