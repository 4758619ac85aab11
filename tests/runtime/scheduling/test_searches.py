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

from runtime.content.execution import Executor
from runtime.engine import Engine
from runtime.errors import Code, RpcError
from runtime.parameters import Options
from runtime.registry import ModelFile, Registry
from runtime.scheduling import workers as module
from runtime.scheduling.dispatcher import Dispatcher
from runtime.scheduling.jobs import Flow
from runtime.scheduling.work import Search, Work
from runtime.scheduling.workers import Workers
from runtime.service import Service

MODEL = ModelFile(Path("none.ts"), "0" * 64, card(), b"")
BOXES = ["########", "#@ $  .#", "# $  . #", "#      #", "########"]


@pytest.fixture(scope="module")
def dispatcher() -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(Engine("cpu", 1), workers=Workers(2))
    yield dispatcher
    dispatcher.close()


def waiting(folder: Path, name: str) -> Search:
    return Search("search", name.encode(), lambda executor: list(executor.each(worker_tasks.wait, [(folder, name)])))


def test_the_parts_of_a_search_come_in_their_order(dispatcher: Dispatcher, tmp_path: Path) -> None:
    parts = [(tmp_path, "slow", 0.3), (tmp_path, "quick", 0.0), (tmp_path, "third", 0.0)]
    search = Search("search", b"order", lambda executor: list(executor.each(worker_tasks.wait, parts)))
    assert dispatcher.run(search, Options()) == ["slow", "quick", "third"]


def test_candidates_after_the_accepted_one_are_stopped(
    dispatcher: Dispatcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.05)
    parts = [(tmp_path, "first", 0.1), (tmp_path, "second"), (tmp_path, "third")]

    def first(executor: Executor) -> str:
        with contextlib.closing(executor.each(worker_tasks.wait, parts)) as results:
            name = next(results)
            until(lambda: (tmp_path / "second").exists())
        return name

    assert dispatcher.run(Search("search", b"first", first), Options()) == "first"
    assert dispatcher.workers is not None
    until(lambda: dispatcher.workers.busy == 0)


def test_the_engine_goes_on_while_a_search_takes_its_time(dispatcher: Dispatcher, tmp_path: Path) -> None:
    async def both() -> None:
        search = dispatcher.start(waiting(tmp_path, "long"), Options(), Flow())
        await asyncio.to_thread(until, lambda: (tmp_path / "long").exists())
        thread = await dispatcher.start(
            Work("model", b"meanwhile", lambda: threading.current_thread().name), Options(), Flow()
        )
        assert thread.data[1:].startswith(b"engine")
        assert dispatcher.busy == 1
        search.cancel()

    asyncio.run(both())
    until(lambda: dispatcher.busy == 0)


def test_a_search_asks_its_model_in_the_engines_turn(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its client does not read: others wait for the thread that it has."""
    ran = []
    monkeypatch.setattr(
        dispatcher._engine, "run", lambda *_: ran.append(threading.current_thread().name) or np.array([7])
    )
    flow, search = (
        Flow(),
        Search("search", b"model", lambda executor: executor.run(MODEL, "forward", np.array([3])).tolist()),
    )
    flow.congested = True

    async def ask() -> Any:
        answer = dispatcher.start(search, Options(), flow)
        await asyncio.sleep(0.05)
        assert not ran
        flow.clear()
        return await answer

    assert asyncio.run(ask()).data == b"\x91\x07"
    assert ran[0].startswith("engine")


def test_a_deadline_ends_a_search_that_runs(
    dispatcher: Dispatcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.05)

    async def ask() -> None:
        answer = dispatcher.start(waiting(tmp_path, "late"), Options(deadline_ms=30_000), Flow())
        await asyncio.to_thread(until, lambda: (tmp_path / "late").exists())
        [call] = dispatcher._searches.scheduler._jobs[b"packedlate"].calls
        call.expire()
        with pytest.raises(RpcError) as caught:
            await answer
        assert caught.value.code is Code.DEADLINE_EXCEEDED

    asyncio.run(ask())
    until(lambda: not alive(int((tmp_path / "late").read_text())))


def test_closing_waits_for_a_search_that_runs(tmp_path: Path) -> None:
    dispatcher = Dispatcher(Engine("cpu", 1), workers=Workers(1))
    search = Search(
        "search", b"last", lambda executor: list(executor.each(worker_tasks.wait, [(tmp_path, "last", 0.3)]))
    )

    async def ask() -> Any:
        answer = dispatcher.start(search, Options(), Flow())
        await asyncio.to_thread(until, lambda: (tmp_path / "last").exists())
        await asyncio.to_thread(dispatcher.close)
        return await answer

    assert asyncio.run(ask()).data == b"\x91\xa4last"


def test_the_result_does_not_depend_on_the_workers(dispatcher: Dispatcher) -> None:
    answers: list[list[Any]] = []
    alone = Engine("cpu", 1)
    for service in (Service(Registry(), alone, dispatcher), Service(Registry(), alone)):
        answers.append([])
        for rows in (BOXES, ["#####", "#$@.#", "#####"], ["#"]):
            try:
                answers[-1].append(service.call_blocking("levels.solve", {"game": "sokoban", "rows": rows}))
            except RpcError as error:
                answers[-1].append(error.to_wire())
    alone.close()
    assert answers[0] == answers[1]
