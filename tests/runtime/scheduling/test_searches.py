"""Searches: their parts are done where they belong, in the order that was asked for, and only as long as wanted."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worker_tasks
from model_files import card
from processes import alive, until

from runtime.content.hands import Hands
from runtime.engine import Engine
from runtime.errors import Code, RpcError
from runtime.parameters import Options
from runtime.registry import ModelFile, Registry
from runtime.scheduling import workers as module
from runtime.scheduling.dispatcher import Runner
from runtime.scheduling.jobs import Flow
from runtime.scheduling.work import Search, Work
from runtime.scheduling.workers import Workers
from runtime.service import Service

MODEL = ModelFile(Path("none.ts"), "0" * 64, card(), b"")
BOXES = ["########", "#@ $  .#", "# $  . #", "#      #", "########"]


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner(Engine("cpu", 1), workers=Workers(2))
    yield runner
    runner.close()


def waiting(folder: Path, name: str) -> Search:
    return Search("search", name.encode(), lambda hands: list(hands.each(worker_tasks.wait, [(folder, name)])))


def test_the_parts_of_a_search_come_in_their_order(runner: Runner, tmp_path: Path) -> None:
    parts = [(tmp_path, "slow", 0.3), (tmp_path, "quick", 0.0), (tmp_path, "third", 0.0)]
    search = Search("search", b"order", lambda hands: list(hands.each(worker_tasks.wait, parts)))
    assert runner.run(search, Options()) == ["slow", "quick", "third"]


def test_what_comes_after_the_one_that_will_do_is_ended(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.05)
    parts = [(tmp_path, "first", 0.1), (tmp_path, "second"), (tmp_path, "third")]

    def first(hands: Hands) -> str:
        with contextlib.closing(hands.each(worker_tasks.wait, parts)) as results:
            name = next(results)
            until(lambda: (tmp_path / "second").exists())
        return name

    assert runner.run(Search("search", b"first", first), Options()) == "first"
    assert runner.workers is not None
    until(lambda: runner.workers.busy == 0)


def test_the_engine_goes_on_while_a_search_takes_its_time(runner: Runner, tmp_path: Path) -> None:
    async def both() -> None:
        search = runner.start(waiting(tmp_path, "long"), Options(), Flow())
        await asyncio.to_thread(until, lambda: (tmp_path / "long").exists())
        thread = await runner.start(
            Work("model", b"meanwhile", lambda: threading.current_thread().name), Options(), Flow()
        )
        assert thread.data[1:].startswith(b"engine")
        assert runner.busy == 1
        search.cancel()

    asyncio.run(both())
    until(lambda: runner.busy == 0)


def test_a_search_asks_its_model_in_the_engines_turn(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its client does not read: others wait for the thread that it has."""
    ran = []
    monkeypatch.setattr(runner._engine, "run", lambda *_: ran.append(threading.current_thread().name) or np.array([7]))
    flow, search = Flow(), Search("search", b"model", lambda hands: hands.run(MODEL, "forward", np.array([3])).tolist())
    flow.congested = True

    async def ask() -> Any:
        answer = runner.start(search, Options(), flow)
        await asyncio.sleep(0.05)
        assert not ran
        flow.clear()
        return await answer

    assert asyncio.run(ask()).data == b"\x91\x07"
    assert ran[0].startswith("engine")


def test_a_deadline_ends_a_search_that_runs(runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.05)

    async def ask() -> None:
        answer = runner.start(waiting(tmp_path, "late"), Options(deadline_ms=30_000), Flow())
        await asyncio.to_thread(until, lambda: (tmp_path / "late").exists())
        [call] = runner._searches.scheduler._jobs[b"packedlate"].calls
        call.expire()
        with pytest.raises(RpcError) as caught:
            await answer
        assert caught.value.code is Code.DEADLINE_EXCEEDED

    asyncio.run(ask())
    until(lambda: not alive(int((tmp_path / "late").read_text())))


def test_closing_waits_for_a_search_that_runs(tmp_path: Path) -> None:
    runner = Runner(Engine("cpu", 1), workers=Workers(1))
    search = Search("search", b"last", lambda hands: list(hands.each(worker_tasks.wait, [(tmp_path, "last", 0.3)])))

    async def ask() -> Any:
        answer = runner.start(search, Options(), Flow())
        await asyncio.to_thread(until, lambda: (tmp_path / "last").exists())
        await asyncio.to_thread(runner.close)
        return await answer

    assert asyncio.run(ask()).data == b"\x91\xa4last"


def test_the_answer_does_not_depend_on_the_workers(runner: Runner) -> None:
    answers: list[list[Any]] = []
    alone = Engine("cpu", 1)
    for service in (Service(Registry(), alone, runner), Service(Registry(), alone)):
        answers.append([])
        for rows in (BOXES, ["#####", "#$@.#", "#####"], ["#"]):
            try:
                answers[-1].append(service.call_blocking("levels.solve", {"game": "sokoban", "rows": rows}))
            except RpcError as error:
                answers[-1].append(error.to_wire())
    alone.close()
    assert answers[0] == answers[1]
