"""levels.generate: the model generates candidates; the first that meets all wishes and is proved is returned.

Candidate i depends on the seed and i alone, and not on the size of the batch, so the first that meets the wishes is the
same everywhere. docs/levels.md (Generating) describes each step.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.content.execution import Executor
from runtime.content.levels.candidates import pick
from runtime.content.levels.feasibility import check_feasible
from runtime.content.levels.games import kit_of, requested_game
from runtime.content.levels.kit import Fixed, GameKit
from runtime.content.levels.requests import GenerateRequest, Wishes, read_wishes
from runtime.content.levels.rules import Outcome, find, goals_of, starts_of
from runtime.content.levels.solving import prove
from runtime.content.levels.watch import telling, watching
from runtime.content.provenance import provenance
from runtime.errors import Code, RpcError
from runtime.registry import ModelFile, Registry

BATCHES = (4, 8, 16)  # candidates generated at a time: few at first, since one of them is usually good enough
REPAIR_SHARE = 8  # a proof within a repair gets the candidate's budget divided by this
EASY = 10  # hundredths: a request for a lower difficulty accepts a level shorter than nine in ten
Progress = Callable[[int, int], None]  # called with the candidates examined so far, and their number


@dataclass(frozen=True)
class Generated:
    """A candidate that meets all wishes. `difficulty` in hundredths; `repaired`: the number of changed tiles."""

    rows: list[str]
    outcome: Outcome | None
    difficulty: int | None
    repaired: int


class Missed(Exception):
    """A candidate does not meet a wish; the message names the wish."""


def check(request: GenerateRequest, registry: Registry) -> tuple[ModelFile, Wishes]:
    """The request's model and its wishes.

    Raises:
        RpcError: there is no such game or model, or a parameter is out of range.
    """
    game = requested_game(request.game, registry)
    model = registry.find(request.model or f"level-{game.name}")
    wishes = read_wishes(request, game, model)
    return model, wishes


def generate(
    executor: Executor, model: ModelFile, wishes: Wishes, request: GenerateRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """The response: the lowest-numbered candidate that meets all wishes.

    Args:
        executor: runs the model, and examines candidates.
        model, wishes: from `check`.
        request: for the provenance.
        progress: is called after each batch.

    Raises:
        RpcError: INVALID_PARAMS where no level can meet the wishes; UNSATISFIED, with how often each wish failed.
        Stopped: nobody waits for the result any more.
    """
    for _ in executor.each(check_feasible, [(wishes,)]):
        pass
    with telling(executor.wanted, None) as path:
        return _first_good(executor, model, wishes, request, progress, path)


def _first_good(
    executor: Executor,
    model: ModelFile,
    wishes: Wishes,
    request: GenerateRequest,
    progress: Progress | None,
    path: str | None,
) -> dict[str, Any]:
    """As `generate`. `path`: the file that stops a solver whose result nobody waits for."""
    failed: Counter[str] = Counter()
    for numbers in _batches(wishes.candidates):
        fixed = [fixed_for(wishes, number) for number in numbers]
        levels = sample(executor, model, wishes, numbers, fixed)
        candidates = [
            (wishes, wishes.rows(level), *rest, path) for level, *rest in zip(levels, fixed, numbers, strict=True)
        ]
        with contextlib.closing(executor.each(attempt, candidates)) as attempts:
            for number, found in zip(numbers, attempts, strict=True):
                if isinstance(found, Generated):
                    return _response(wishes, found, number) | {
                        "provenance": provenance(model, "levels.generate", msgspec.to_builtins(request))
                    }
                failed[found] += 1
        if progress is not None:
            progress(numbers[-1] + 1, wishes.candidates)
    why = ", ".join(f"{wish} {count} times" for wish, count in failed.most_common())
    raise RpcError(
        Code.UNSATISFIED,
        f"none of {wishes.candidates} candidates meets all wishes; what failed: {why}. Ask for less, for "
        "another seed, or for more candidates",
        {"candidates": wishes.candidates, "failed": dict(failed)},
    )


def _batches(candidates: int) -> Iterator[range]:
    first = 0
    for size in (*BATCHES, *[BATCHES[-1]] * (candidates // BATCHES[-1] + 1)):
        if first < candidates:
            yield range(first, min(first + size, candidates))
        first += size


def sample(
    executor: Executor, model: ModelFile, wishes: Wishes, numbers: Sequence[int], fixed: Sequence[NDArray[np.int64]]
) -> NDArray[np.uint8]:
    """The candidates of these numbers as the model generates them: tile numbers (N, height, width).

    Args:
        executor: runs the model.
        model, wishes: from `check`.
        numbers: of the candidates.
        fixed: each candidate's given tiles, from `fixed_for`.
    """
    height, width = wishes.shape
    told = kit_of(wishes.game).difficulty_told(wishes) if wishes.difficulty is None else wishes.difficulty[2]
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
    """A candidate's given tiles: the fixed ones and, of a level to vary, all outside a window that its number picks."""
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
    """How many of each count the model is told to generate, given ones included; -1 where it chooses."""
    told = kit_of(wishes.game).tell(wishes, number, given)
    return [told.get(name, -1) for name in wishes.counted]


def attempt(
    wishes: Wishes, rows: list[str], given: NDArray[np.int64], number: int, path: str | None = None
) -> Generated | str:
    """As `examine`, but a wish that the candidate does not meet is returned. Runs in a worker, if there is one.

    `path`: the file that can stop the solver (runtime/content/levels/watch.py).
    """
    try:
        with watching(path):
            return examine(wishes, rows, given, number)
    except Missed as missed:
        return str(missed)


def examine(wishes: Wishes, rows: list[str], given: NDArray[np.int64], number: int) -> Generated:
    """Complete a candidate: start and goal, proof, and repair where it is needed and enough.

    Args:
        wishes: from `check`.
        rows: the candidate as the model generated it.
        given: its given tiles, from `fixed_for`.
        number: of the candidate.

    Raises:
        Missed: it does not meet a wish.
    """
    kit = kit_of(wishes.game)
    fixed = frozenset((int(y), int(x)) for y, x in np.argwhere(given >= 0))
    try:
        arranged = kit.arrange(wishes, number, rows, fixed)
    except ValueError as error:
        raise Missed("start and goal") from error
    if kit.arranged_by_rule:
        rows = arranged
    if lack := kit.lacks(wishes, number, arranged):
        raise Missed(lack)
    outcome, hard = None, None
    if wishes.solved:
        _check_counts(wishes, arranged)  # before the proof, which takes long; a repair can still change them
        arranged, outcome = _solved(wishes, kit, arranged, fixed)
        arranged, outcome = kit.harden(
            wishes, arranged, outcome, fixed, lambda tried: prove(wishes.game, tried, wishes.budget)
        )
    changed = sum(a != b for old, new in zip(rows, arranged, strict=True) for a, b in zip(old, new, strict=True))
    if outcome is not None:
        arranged = kit.finish(wishes, arranged, outcome.moves, fixed)  # not a repair
        hard = kit.difficulty(arranged, outcome.moves)
    _check_counts(wishes, arranged)
    if wishes.base is not None and arranged == wishes.rows(wishes.base):
        raise Missed("a difference from the level to vary")
    if wishes.difficulty is not None and hard is not None and not wishes.difficulty[0] <= hard <= wishes.difficulty[1]:
        raise Missed("difficulty (too easy)" if hard < wishes.difficulty[0] else "difficulty (too hard)")
    return Generated(arranged, outcome, hard, changed)


def _least_length(wishes: Wishes, kit: GameKit, rows: Sequence[str], fixed: Fixed) -> int:
    """The least length of the solution, in the unit of `kit.length`: that of nine in ten training levels.

    0 where the user decides the length: in variations of a level, and where both the start and a goal are given. A
    request for a low difficulty, or for a count that sets the length, accepts the shortest training level.
    """
    if wishes.base is not None or all(fixed & set(find(rows, ends(wishes.game))) for ends in (starts_of, goals_of)):
        return 0
    easy = wishes.difficulty is not None and wishes.difficulty[0] < EASY
    least, tenth = kit.shortest
    return least if easy or kit.length_by & wishes.ranges.keys() else tenth


def _solved(wishes: Wishes, kit: GameKit, rows: list[str], fixed: Fixed) -> tuple[list[str], Outcome]:
    """The level and its solution, repaired if that is needed. Raises Missed."""
    game, least = wishes.game, _least_length(wishes, kit, rows, fixed)
    outcome = prove(game, rows, wishes.budget)
    solved = outcome.status == "solved"
    closed = solved and bool(kit.closed(rows))
    short = solved and kit.length(rows, outcome.moves) < least
    if solved and not closed and not short:
        return rows, outcome
    if short and not kit.mend_lengthens:
        raise Missed("length (too short)")
    budget = max(1, wishes.budget // REPAIR_SHARE)
    mended = kit.mend(rows, fixed, lambda tried: prove(game, tried, budget))
    if mended is not None and kit.length(mended[0], mended[1].moves) >= least:
        return mended
    if mended is not None or short:
        raise Missed("length (too short)")
    if closed:
        raise Missed("every room open")
    raise Missed("solution (none)" if outcome.status == "unsolvable" else "solution (none found within the budget)")


def _check_counts(wishes: Wishes, rows: list[str]) -> None:
    for name, (least, most) in wishes.ranges.items():
        count = len(find(rows, wishes.counted[name]))
        if not least <= count <= most:
            raise Missed(f"counts.{name} (too {'few' if count < least else 'many'})")


def _response(wishes: Wishes, generated: Generated, number: int) -> dict[str, Any]:
    game, rows = wishes.game, generated.rows
    used = set("".join(rows))
    return {
        "game": game.name,
        "seed": wishes.seed,
        "rows": rows,
        "legend": {char: tile.name for char, tile in game.tiles.items() if char in used},
        "start": next([x, y] for y, x in find(rows, starts_of(game))),
        "goal": [[x, y] for y, x in find(rows, goals_of(game))],
        "solution": generated.outcome.moves if generated.outcome else None,
        "proved": generated.outcome is not None,
        "difficulty": None if generated.difficulty is None else generated.difficulty / 100,
        "counts": {name: len(find(rows, chars)) for name, chars in wishes.counted.items()},
        "candidate": number,
        "repaired": generated.repaired,
    }
