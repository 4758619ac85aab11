"""A fifth game, added as a contributor adds one: its own code (here this module), and one entry in the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence, Set
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from model_files import card
from numpy.typing import NDArray

from runtime.card import Parameter
from runtime.content.checks import invalid
from runtime.content.execution import Executor
from runtime.content.levels import games, generate, solving
from runtime.content.levels.candidates import one_each, requested
from runtime.content.levels.games import KITS
from runtime.content.levels.kit import GameKit, Player
from runtime.content.levels.requests import GenerateRequest, Wishes
from runtime.content.levels.rules import (
    OFFSETS,
    STEPS,
    Cell,
    Game,
    IllegalMove,
    Outcome,
    Prove,
    Tile,
    alphabet,
    check_rows,
    find,
    goals_of,
    put,
    starts_of,
)
from runtime.errors import Code, RpcError
from runtime.registry import ModelFile, Registry

MAZE = Game(
    name="maze",
    tiles=alphabet(
        Tile(" ", "path"),
        Tile("#", "hedge", solid=True),
        Tile("A", "way in", start=True),
        Tile("Z", "way out", goal=True),
    ),
    empty=" ",
    moves=STEPS,
    budget=1000,
)


def walk(rows: Sequence[str], moves: str) -> list[Cell]:
    check_rows(MAZE, rows)
    cells = [find(rows, "A")[0]]
    for move in moves:
        (y, x), (dy, dx) = cells[-1], OFFSETS[move]
        inside = 0 <= y + dy < len(rows) and 0 <= x + dx < len(rows[0])
        if not inside or rows[y + dy][x + dx] == "#":
            raise IllegalMove(f"move {move!r}: a hedge")
        cells.append((y + dy, x + dx))
    return cells


def replay(rows: Sequence[str], moves: str) -> bool:
    y, x = walk(rows, moves)[-1]
    return rows[y][x] == "Z"


def path(rows: Sequence[str], moves: str) -> list[tuple[int, int]]:
    return [(16 * x + 8, 16 * y + 8) for y, x in walk(rows, moves)]


def solve(rows: Sequence[str], budget: int) -> Outcome:
    check_rows(MAZE, rows)
    ways = {find(rows, "A")[0]: ""}
    for nodes, (y, x) in enumerate(cells := list(ways)):
        if nodes == budget:
            return Outcome("unknown", "", nodes, "the budget ran out")
        if rows[y][x] == "Z":
            return Outcome("solved", ways[y, x], nodes, f"{len(ways[y, x])} steps")
        for move, (dy, dx) in OFFSETS.items():
            cell = y + dy, x + dx
            inside = 0 <= cell[0] < len(rows) and 0 <= cell[1] < len(rows[0])
            if inside and cell not in ways and rows[cell[0]][cell[1]] != "#":
                ways[cell] = ways[y, x] + move
                cells.append(cell)
    return Outcome("unsolvable", "", len(cells), "hedges all around")


def arrange(_wishes: Wishes, _number: int, rows: Sequence[str], _fixed: Set[Cell]) -> list[str]:
    if len(find(rows, "A")) != 1 or not find(rows, "Z"):
        raise ValueError("it has no ends")
    return list(rows)


def mend(rows: Sequence[str], fixed: Set[Cell], prove: Prove) -> tuple[list[str], Outcome] | None:
    for hedge in find(rows, "#"):
        if hedge not in fixed and (outcome := prove(cut := put(rows, {hedge: " "}))).status == "solved":
            return cut, outcome
    return None


def tell(wishes: Wishes, number: int, given: NDArray[np.int64]) -> Mapping[str, int]:
    return one_each(wishes, given, starts_of(MAZE) + goals_of(MAZE)) | requested(wishes, number)


def check(wishes: Wishes, _rows: list[str]) -> None:
    if wishes.ranges.get("outs", (1, 1))[1] == 0:
        raise invalid("counts", "outs: a maze has one")


KIT = GameKit(
    rules=MAZE,
    player=Player(replay, path),
    solve=solve,
    labour=lambda _rows, moves: len(moves),
    tenths=tuple(range(0, 22, 2)),
    length=lambda rows, moves: 100 * len(moves) // len(rows[0]),
    shortest=(10, 50),
    check=check,
    tell=tell,
    arrange=arrange,
    mend=mend,
)
CANDIDATES = (
    ["#######", "#  Z  #", "#######"],  # no start
    ["#######", "#AZ   #", "#######"],  # too short
    ["#######", "#A###Z#", "#######"],  # more hedges than a repair opens
    ["#######", "#A  #Z#", "#######"],
)


@pytest.fixture(autouse=True)
def one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KITS, MAZE.name, KIT)


class Sampler:
    """Executor whose model generates the candidates above, in turn."""

    def __init__(self) -> None:
        self.told: list[list[int]] = []

    def wanted(self) -> bool:
        return True

    def run(self, _model: ModelFile, _method: str, *arguments: NDArray[Any] | int) -> NDArray[Any]:
        numbers, counts = cast(NDArray[Any], arguments[1]), cast(NDArray[Any], arguments[5])
        self.told += counts.tolist()
        tiles = "".join(MAZE.tiles)
        return np.array(
            [[[tiles.index(c) for c in row] for row in CANDIDATES[n % len(CANDIDATES)]] for n in numbers], np.uint8
        )

    def each(self, function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> Generator[Any, None, None]:
        yield from (function(*given) for given in arguments)


def registry() -> Registry:
    """Models of which one generates mazes."""
    limits = {"seed": (1, 0, 2**53 - 1), "width": (7, 7, 7), "height": (3, 3, 3), "temperature": (100, 0, 400)}
    about = {"tiles": "".join(MAZE.tiles), "counts": {"ins": "A", "outs": "Z"}, "order": "rows"}
    level = card(
        name="level-maze",
        family="levels",
        parameters={name: Parameter("integer", name, *limit) for name, limit in limits.items()},
        outputs={"rows": about},
    )
    model = ModelFile(Path("level-maze.ts"), "0" * 64, level, b"")
    return cast(Registry, SimpleNamespace(models={"level-maze": model}, find=lambda _name: model))


def generated(**wanted: Any) -> tuple[dict[str, Any], Sampler]:
    request = GenerateRequest(seed=1, game="maze", **wanted)
    sampler = Sampler()
    model, wishes = generate.check(request, registry())
    return generate.generate(cast(Executor, sampler), model, wishes, request), sampler


def test_what_serves_all_games_knows_none_by_name() -> None:
    folders = "|".join(name for name in KITS if name != MAZE.name)
    named = rf"isinstance\([^)]*Game\)|\bis (not )?[A-Z]{{4,}}\b|\.name [!=]= |levels\.({folders}|custom)\.(?!legend)"
    folder = Path(games.__file__).parent
    modules = [module for module in folder.glob("*.py") if module.name != "games.py"]  # which has the table
    assert len(modules) > 5
    assert {module.name: found[0] for module in modules if (found := re.search(named, module.read_text()))} == {}


def test_it_is_solved() -> None:
    game, request = solving.check(solving.SolveRequest("maze", ["A  ", "## ", "Z  "]), registry())
    response = solving.solve(game, request)
    assert (response["status"], response["solution"], response["why"]) == ("solved", "rrddll", "6 steps")
    shut = solving.SolveRequest("maze", ["A#Z"], 10)
    assert solving.solve(MAZE, shut)["status"] == "unsolvable"
    solving.warm_up()


def test_it_is_generated_with_its_proof() -> None:
    level, sampler = generated()
    assert level["rows"] == ["#######", "#A   Z#", "#######"]
    assert (level["solution"], level["candidate"], level["repaired"]) == ("rrrr", 3, 1)
    assert (level["difficulty"], level["counts"]) == (0.2, {"ins": 1, "outs": 1})
    assert sampler.told[0] == [1, 1]


def test_its_repair_leaves_what_is_fixed_and_its_wishes_are_checked() -> None:
    with pytest.raises(RpcError) as caught:
        generated(fixed=["_______", "____#__", "_______"], candidates=4)
    assert caught.value.code is Code.UNSATISFIED
    assert caught.value.details["failed"] == {"start and goal": 1, "length (too short)": 1, "solution (none)": 2}
    with pytest.raises(RpcError, match="outs: a maze has one"):
        generated(counts={"outs": 0})
    with pytest.raises(RpcError, match="did you mean 'maze'"):
        solving.check(solving.SolveRequest("mazes", ["A"]), registry())
