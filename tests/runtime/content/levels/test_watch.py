"""Searches that tell how far they are, and end when nobody waits for them."""

from __future__ import annotations

import os
import random
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from runtime.content.levels import watch
from runtime.content.levels.games import GAMES, custom_game
from runtime.content.levels.rules import Game
from runtime.content.levels.solving import SolveRequest, prove, search
from runtime.content.levels.watch import DONE, STOP, Stopped, telling, watching
from runtime.local import Local
from runtime.scheduling.jobs import Flow
from runtime.scheduling.work import Executor


def large_sokoban() -> list[str]:
    """A hall of 50x50 tiles with 50 boxes and targets: each position takes a search long."""
    side = 50
    tiles = np.full((side, side), "#")
    tiles[1:-1, 1:-1] = " "
    cells = [(y, x) for y in range(2, side - 2) for x in range(2, side - 2)]
    random.Random(3).shuffle(cells)
    for number, (y, x) in enumerate(cells[:101]):
        tiles[y, x] = "$" if number < 50 else "." if number < 100 else "@"
    return ["".join(row) for row in tiles]


HALL = large_sokoban()
OPEN = ["." * 60 for _ in range(40)]
MAZE = custom_game(
    {
        "movement": "four-way",
        "name": "maze",
        "tiles": {".": {"name": "floor"}, "S": {"name": "s", "start": True}, "G": {"name": "g", "goal": True}},
    }
)
LARGE: dict[str, tuple[Game, list[str]]] = {
    "sokoban": (GAMES["sokoban"], HALL),
    "dungeon": (GAMES["dungeon"], ["<" + OPEN[0][1:], *OPEN[1:], "." * 59 + ">"]),
    "platformer": (GAMES["platformer"], [OPEN[0], "S" + "." * 58 + "G", "#" * 60]),
    "runner": (GAMES["runner"], ["......#...", "M..G..#..G", "bbbbbbbbbb"]),
    "custom": (MAZE, ["S" + OPEN[0][1:], *OPEN[1:], "." * 59 + "G"]),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_solver_that_is_not_wanted_any_more_ends(name: str, tmp_path: Path) -> None:
    game, rows = LARGE[name]
    file = tmp_path / "numbers"
    file.write_bytes(np.array([0, 1], np.int64).tobytes())
    with watching(str(file)), pytest.raises(Stopped):
        prove(game, rows, game.budget)


@pytest.mark.parametrize("name", ["dungeon", "platformer", "custom", "sokoban"])
def test_a_solver_tells_how_far_it_is(name: str, tmp_path: Path) -> None:
    game, rows = LARGE[name]
    file = tmp_path / "numbers"
    file.write_bytes(bytes(16))
    with watching(str(file)):
        told = prove(game, rows, 200 if name == "sokoban" else 3000)
    done, stop = np.fromfile(file, np.int64)
    assert 0 < done <= told.nodes
    assert stop == 0
    assert prove(game, rows, 200 if name == "sokoban" else 3000) == told  # which being watched does not change


def test_telling_reports_and_stops() -> None:
    reported, wanted = [], threading.Event()
    wanted.set()
    with telling(wanted.is_set, reported.append) as path:
        numbers = np.memmap(path, np.int64, "r+", shape=(2,))
        numbers[DONE] = 7
        while not reported:
            threading.Event().wait(0.01)
        wanted.clear()
        while not numbers[STOP]:
            threading.Event().wait(0.01)
        numbers[STOP] = 0
    assert reported == [7]
    assert numbers[STOP]  # what may still search, in another process
    assert not Path(path).exists()


class InThisThread:
    """Executor of a search that is done at once."""

    def wanted(self) -> bool:
        return True

    def each(self, function, arguments):  # type: ignore[no-untyped-def]
        return (function(*given) for given in arguments)


def test_a_search_is_told_of_in_nodes_of_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_S", 0.005)
    told: list[tuple[int, int]] = []
    executor: Executor = InThisThread()  # type: ignore[assignment]
    asked = SolveRequest("sokoban", HALL, 500)
    search(executor, GAMES["sokoban"], asked, lambda done, of: told.append((done, of)))
    assert told
    assert told == sorted(told)
    assert {of for _, of in told} == {500}


class Listener:
    """A connection that keeps what it is told."""

    def __init__(self) -> None:
        self.flow, self.told = Flow(), list[tuple[str, dict[str, int]]]()

    async def notify(self, method: str, params: dict[str, int]) -> None:
        self.told.append((method, params))


async def test_solving_streams_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_S", 0.005)
    with Local(device="cpu", threads=1) as runtime:
        for stream in (True, False):
            listener = Listener()
            params = {"game": "sokoban", "rows": HALL, "budget": 500 + stream, "stream": stream}
            await runtime.service.call("levels.solve", params, connection=listener)
            assert bool(listener.told) == stream
            assert all(method == "progress" and told["of"] == 501 for method, told in listener.told)


@pytest.mark.parametrize("method", ["levels.solve", "levels.generate"])
def test_an_interrupt_ends_a_search_of_this_process(method: str) -> None:
    asked: dict[str, object] = {"game": "sokoban", "rows": HALL, "budget": 2_000_000}
    if method == "levels.generate":
        asked = {"seed": 1, "game": "dungeon", "counts": {"enemies": 500}, "candidates": 4096}
    interrupted: list[tuple[int, int]] = []

    def report(done: int, of: int) -> None:
        if not interrupted:
            os.kill(os.getpid(), signal.SIGINT)
        interrupted.append((done, of))

    with Local(device="cpu", threads=1) as runtime, pytest.raises(KeyboardInterrupt):
        runtime.call_reporting(method, report, **asked)
    # Closing has waited for the search, which had hardly begun.
    assert interrupted[-1][0] < interrupted[-1][1] // 2


def test_without_a_place_for_its_file_a_search_goes_on_untold(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no usable temporary directory")

    monkeypatch.setattr(watch.tempfile, "mkstemp", full)
    told: list[tuple[int, int]] = []
    executor: Executor = InThisThread()  # type: ignore[assignment]
    answer = search(executor, MAZE, SolveRequest("maze", ["S.G"], 100), lambda done, of: told.append((done, of)))
    assert (answer["status"], told) == ("solved", [])
    assert "no temporary file can be written" in caplog.text
