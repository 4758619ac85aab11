"""levels.generate: candidates from the model, looked at in their order until one is all that was wished for, proved.

Candidate i depends on the seed and i alone, however many are written at a time, so the first that will do is the same
everywhere. docs/levels.md (Generating) says what each step does.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.content.execution import Executor
from runtime.content.levels.custom.game import OwnGame
from runtime.content.levels.difficulty import measured
from runtime.content.levels.dungeon import solver as dungeon
from runtime.content.levels.feasibility import check_possible
from runtime.content.levels.length import length, shortest
from runtime.content.levels.picking import pick
from runtime.content.levels.repairs import asked_pairs, repair_of
from runtime.content.levels.requests import GenerateRequest, Wishes, asked_game, read_wishes
from runtime.content.levels.rules import DUNGEON, PLATFORMER, RUNNER, Cell, Outcome, find, goals_of, starts_of
from runtime.content.levels.runner.finish import guarded, hardened
from runtime.content.levels.runner.usual import lacks, usual_of
from runtime.content.levels.solving import prove
from runtime.content.levels.watch import telling, watching
from runtime.content.provenance import provenance
from runtime.errors import Code, RpcError
from runtime.registry import ModelFile, Registry

BATCHES = (4, 8, 16)  # candidates written at a time: few at first, since most often one of them will do
REPAIR_SHARE = 8  # an attempt at repair gets so many nodes less than a candidate
EASY = 10  # hundredths: whoever asks for a lower difficulty may get a level that is shorter than nine in ten
Progress = Callable[[int, int], None]  # told how many of how many candidates were looked at


@dataclass(frozen=True)
class Made:
    """A candidate that is all that was wished for. `difficulty` in hundredths; `repaired`: tiles changed."""

    rows: list[str]
    outcome: Outcome | None
    difficulty: int | None
    repaired: int


class Missed(Exception):
    """A candidate lacks what was wished for; its text says which wish."""


def check(request: GenerateRequest, registry: Registry) -> tuple[ModelFile, Wishes]:
    """The request's model and its wishes.

    Raises:
        RpcError: no such game or model, and what is out of range.
    """
    game = asked_game(request.game, registry)
    model = registry.find(request.model or f"level-{game.name}")
    wishes = read_wishes(request, game, model)
    return model, wishes


def generate(
    executor: Executor, model: ModelFile, wishes: Wishes, request: GenerateRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """The lowest-numbered candidate that is all that was wished for, however many are looked at at a time.

    Raises:
        RpcError: INVALID_PARAMS for what no level could be; UNSATISFIED, saying which wish failed how often.
        Stopped: nobody waits for it any more.
    """
    for _ in executor.each(check_possible, [(wishes,)]):
        pass
    with telling(executor.wanted, None) as path:
        return _first_that_will_do(executor, model, wishes, request, progress, path)


def _first_that_will_do(
    executor: Executor,
    model: ModelFile,
    wishes: Wishes,
    request: GenerateRequest,
    progress: Progress | None,
    path: str | None,
) -> dict[str, Any]:
    """As `generate`. `path`: the file that stops a solver that is not wanted any more."""
    failed: Counter[str] = Counter()
    for numbers in _batches(wishes.candidates):
        fixed = [fixed_for(wishes, number) for number in numbers]
        levels = write(executor, model, wishes, numbers, fixed)
        candidates = [
            (wishes, wishes.rows(level), *rest, path) for level, *rest in zip(levels, fixed, numbers, strict=True)
        ]
        with contextlib.closing(executor.each(look_at, candidates)) as looks:
            for number, look in zip(numbers, looks, strict=True):
                if isinstance(look, Made):
                    return _answer(wishes, look, number) | {
                        "provenance": provenance(model, "levels.generate", msgspec.to_builtins(request))
                    }
                failed[look] += 1
        if progress is not None:
            progress(numbers[-1] + 1, wishes.candidates)
    why = ", ".join(f"{wish} {count} times" for wish, count in failed.most_common())
    raise RpcError(
        Code.UNSATISFIED,
        f"none of {wishes.candidates} candidates is all that was wished for; what failed: {why}. Ask for less, for "
        "another seed, or for more candidates",
        {"candidates": wishes.candidates, "failed": dict(failed)},
    )


def _batches(candidates: int) -> Iterator[range]:
    first = 0
    for size in (*BATCHES, *[BATCHES[-1]] * (candidates // BATCHES[-1] + 1)):
        if first < candidates:
            yield range(first, min(first + size, candidates))
        first += size


def write(
    executor: Executor, model: ModelFile, wishes: Wishes, numbers: Sequence[int], fixed: Sequence[NDArray[np.int64]]
) -> NDArray[np.uint8]:
    """The candidates of these numbers as the model writes them: (N, height, width) tile numbers."""
    height, width = wishes.shape
    usual = usual_of(wishes)
    told = usual.difficulty if usual is not None else -1 if wishes.difficulty is None else wishes.difficulty[2]
    arguments = (
        np.full(len(numbers), wishes.seed),
        np.array(numbers, np.int64),
        width,
        height,
        np.full(len(numbers), told),
        np.array([told_counts(wishes, n, f) for n, f in zip(numbers, fixed, strict=True)], np.int64),
        np.stack(fixed),
        wishes.temperature,
        0,
    )
    return executor.run(model, "forward", *arguments)


def fixed_for(wishes: Wishes, number: int) -> NDArray[np.int64]:
    """What is given to a candidate: what is fixed, and of a level to vary all but a window, another for each."""
    if wishes.base is None:
        return wishes.fixed
    height, width = wishes.shape
    if wishes.by_columns:
        high, wide = height, max(1, round(wishes.change * width))
    else:
        area = max(1, round(wishes.change * height * width))
        low = math.ceil(area / width)
        high = low + pick(wishes.seed, number, "height", min(height, max(low, 2 * math.isqrt(area))) - low + 1)
        wide = min(width, math.ceil(area / high))
    top, left = pick(wishes.seed, number, "top", height - high + 1), pick(wishes.seed, number, "left", width - wide + 1)
    given = np.where(wishes.fixed >= 0, wishes.fixed, wishes.base)
    window = slice(top, top + high), slice(left, left + wide)
    given[window] = wishes.fixed[window]
    return given


def told_counts(wishes: Wishes, number: int, given: NDArray[np.int64]) -> list[int]:
    """How many of each count the model is told to write, given ones included; -1 where it is free."""
    told = {}
    for name, (least, most) in wishes.ranges.items():
        told[name] = least + pick(wishes.seed, number, name, most - least + 1)
    if wishes.game.name == "sokoban":
        told |= dict.fromkeys(("boxes", "targets"), asked_pairs(wishes, number))
    # If nobody says, a platformer has one goal as well: with another on the way, its end need not be reached.
    ends = starts_of(wishes.game) + (goals_of(wishes.game) if wishes.game is PLATFORMER else "")
    for name, chars in wishes.counted.items():
        once = [wishes.tiles.index(c) for c in ends if c in wishes.tiles and c in chars]
        if once and np.isin(given, once).any():  # no other is written; a dungeon's entrances are counted with its start
            told.setdefault(name, int(np.isin(given, [wishes.tiles.index(c) for c in chars]).sum()))
        elif once and wishes.game is not DUNGEON:  # which gets its stairs by rule
            told.setdefault(name, 1)
        if isinstance(wishes.game, OwnGame) and wishes.game.legend.goals and chars == goals_of(wishes.game):
            fixed = int(np.isin(given, [wishes.tiles.index(c) for c in chars]).sum())
            told.setdefault(name, max(fixed, wishes.game.legend.goals))
    if (usual := usual_of(wishes)) is not None:
        told = {"gold": usual.gold, "enemies": usual.guards} | told
    return [told.get(name, -1) for name in wishes.counted]


def look_at(
    wishes: Wishes, rows: list[str], given: NDArray[np.int64], number: int, path: str | None = None
) -> Made | str:
    """A candidate that is all that was wished for, or what it lacks. In a worker, where there are workers.

    `path`: the file that says whether its solver is to stop (runtime/content/levels/watch.py).
    """
    try:
        with watching(path):
            return examine(wishes, rows, given, number)
    except Missed as missed:
        return str(missed)


def examine(wishes: Wishes, rows: list[str], given: NDArray[np.int64], number: int) -> Made:
    """A candidate, with its start and goal, and repaired where that is needed and enough.

    Raises:
        Missed: it lacks something.
    """
    kept = frozenset((int(y), int(x)) for y, x in np.argwhere(given >= 0))
    try:
        arranged = repair_of(wishes.game).arrange(wishes, number, rows, kept)
    except ValueError as error:
        raise Missed("start and goal") from error
    if wishes.game is DUNGEON:
        rows = arranged  # its stairs are placed by the game's rule, which is no repair
    usual = usual_of(wishes)
    if usual is not None and (lack := lacks(arranged, usual, wishes, number)):
        raise Missed(lack)
    outcome, hard = None, None
    if wishes.solved:
        _see_counts(wishes, arranged)  # before what takes time; a repair may still change them
        arranged, outcome = _solved(wishes, arranged, kept, _least_length(wishes, arranged, kept))
        if wishes.game is RUNNER:
            arranged, outcome = hardened(
                wishes, arranged, outcome, kept, lambda tried: prove(RUNNER, tried, wishes.budget)
            )
    changed = sum(a != b for old, new in zip(rows, arranged, strict=True) for a, b in zip(old, new, strict=True))
    if outcome is not None:
        if wishes.game is RUNNER:  # by rule as well
            arranged = guarded(wishes, arranged, outcome.moves, kept)
        hard = measured(wishes.game, arranged, outcome.moves)
    _see_counts(wishes, arranged)
    if wishes.base is not None and arranged == wishes.rows(wishes.base):
        raise Missed("a difference from the level to vary")
    if wishes.difficulty is not None and hard is not None and not wishes.difficulty[0] <= hard <= wishes.difficulty[1]:
        raise Missed("difficulty (too easy)" if hard < wishes.difficulty[0] else "difficulty (too hard)")
    return Made(arranged, outcome, hard, changed)


def _least_length(wishes: Wishes, rows: Sequence[str], kept: Set[Cell]) -> int:
    """How long the solution has to be, as `length` measures it: 0 where the user decides it.

    That is so in variations of a level, and where both the start and a goal are given. Whoever asks for a low
    difficulty, or says how much gold there is, may get a level as short as the shortest training level.
    """
    game = wishes.game
    if wishes.base is not None or all(kept & set(find(rows, ends(game))) for ends in (starts_of, goals_of)):
        return 0
    easy = wishes.difficulty is not None and wishes.difficulty[0] < EASY
    return shortest(game, easy=easy or (game is RUNNER and "gold" in wishes.ranges))


def _solved(wishes: Wishes, rows: list[str], kept: Set[Cell], least: int) -> tuple[list[str], Outcome]:
    """The level and its solution, of at least that length, repaired if that is needed. Raises Missed."""
    game = wishes.game
    outcome = prove(game, rows, wishes.budget)
    solved = outcome.status == "solved"
    closed = game is DUNGEON and solved and bool(dungeon.unreached(rows))
    short = solved and length(game, rows, outcome.moves) < least
    if solved and not closed and not short:
        return rows, outcome
    if short and not isinstance(game, OwnGame):  # in a custom game a repair moves the goal
        raise Missed("length (too short)")
    budget = max(1, wishes.budget // REPAIR_SHARE)
    mended = repair_of(game).mend(rows, kept, lambda tried: prove(game, tried, budget))
    if mended is not None and length(game, mended[0], mended[1].moves) >= least:
        return mended
    if mended is not None or short:
        raise Missed("length (too short)")
    if closed:
        raise Missed("every room open")
    raise Missed("solution (none)" if outcome.status == "unsolvable" else "solution (none found within the budget)")


def _see_counts(wishes: Wishes, rows: list[str]) -> None:
    for name, (least, most) in wishes.ranges.items():
        count = len(find(rows, wishes.counted[name]))
        if not least <= count <= most:
            raise Missed(f"counts.{name} (too {'few' if count < least else 'many'})")


def _answer(wishes: Wishes, made: Made, number: int) -> dict[str, Any]:
    game, rows = wishes.game, made.rows
    used = set("".join(rows))
    return {
        "game": game.name,
        "seed": wishes.seed,
        "rows": rows,
        "legend": {char: tile.name for char, tile in game.tiles.items() if char in used},
        "start": next([x, y] for y, x in find(rows, starts_of(game))),
        "goal": [[x, y] for y, x in find(rows, goals_of(game))],
        "solution": made.outcome.moves if made.outcome else None,
        "proved": made.outcome is not None,
        "difficulty": None if made.difficulty is None else made.difficulty / 100,
        "counts": {name: len(find(rows, chars)) for name, chars in wishes.counted.items()},
        "candidate": number,
        "repaired": made.repaired,
    }
