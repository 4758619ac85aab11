"""Batches: whether they pay, who shares one, and that nobody can tell from the result."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bench import Bench
from hypothesis import given
from hypothesis import strategies as st
from model_files import card, write_model

from runtime import batching
from runtime import card as cards
from runtime.batching import Batch, Batching
from runtime.card import Golden
from runtime.engine import Engine, digest
from runtime.parameters import Options
from runtime.registry import ModelFile, Registry
from runtime.scheduling.dispatcher import Dispatcher
from runtime.scheduling.jobs import Call, Flow, Priority
from runtime.scheduling.work import Search, Work
from runtime.scheduling.workers import Workers
from runtime.wire.protocol import pack


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 3))
def test_joined_arguments_are_split_again(sizes: list[int], number: int) -> None:
    calls = [[np.full((size, 2), i), number, np.arange(size)] for i, size in enumerate(sizes)]
    first, same, last = batching.join(calls)
    assert same == number
    for i, (part, rest) in enumerate(zip(batching.part(first, calls), batching.part(last, calls), strict=True)):
        assert part.tolist() == [[i, i]] * sizes[i]
        assert rest.tolist() == list(range(sizes[i]))


def test_which_calls_may_share_a_batch() -> None:
    call = [np.zeros((2, 3)), 5]
    assert batching.alike("a", call) == batching.alike("a", [np.ones((7, 3)), 5])
    for method, other in (
        ("b", call),
        ("a", [np.zeros((2, 4)), 5]),
        ("a", [np.zeros((2, 3)), 6]),
        ("a", [np.zeros((2, 3), int), 5]),
    ):
        assert batching.alike("a", call) != batching.alike(method, other)


# Who shares a run. Tickets are called by hand.


class Batches(Bench):
    """Works of `size` items that are alike if they say the same; `runs` lists what was done together."""

    def __init__(self, most: int = 4, wait_s: float = 0.0) -> None:
        super().__init__()
        self.limits = Batching(most, wait_s)
        self.runs: list[list[str]] = []

    def join(
        self, name: str, size: int = 1, alike: str = "x", flow: Flow | None = None, priority: Priority = Priority.NORMAL
    ) -> Call:
        batch = Batch(alike, size, self.limits, [np.array([name] * size)], self._together)
        work = Work("model", name.encode(), lambda: self.runs.append([name]) or name, batch)
        return self.scheduler.submit(work, flow or Flow(), priority)

    def _together(self, calls: Sequence[Sequence[Any]]) -> list[str]:
        names = [str(array[0]) for [array] in calls]
        self.runs.append(names)
        if "bad" in names:
            raise ValueError("bad")
        return names


def test_calls_of_one_kind_run_together_up_to_the_batch_size() -> None:
    bench = Batches(most=4)
    calls = [bench.join(name, size) for name, size in (("a", 1), ("b", 2), ("c", 2), ("d", 1), ("e", 9))]
    other = bench.join("other", alike="y")
    bench.run()
    assert bench.runs == [["a", "b", "d"], ["c"], ["e"], ["other"]]
    assert [call.future.result(0) for call in (*calls, other)] == ["a", "b", "c", "d", "e", "other"]
    assert bench.scheduler.busy == 0


def test_one_item_at_a_time_where_batches_do_not_pay() -> None:
    bench = Batches(most=1)
    for name in "abc":
        bench.join(name)
    bench.run()
    assert bench.runs == [["a"], ["b"], ["c"]]


def test_nobody_shares_a_run_with_the_less_urgent_or_the_congested() -> None:
    bench, slow = Batches(), Flow()
    bench.join("low", priority=Priority.LOW)
    bench.join("a")
    bench.join("slow", flow=slow)
    bench.join("b")
    slow.congested = True
    bench.run()
    assert bench.runs == [["a", "b"], ["low"]]
    slow.clear()
    bench.run()
    assert bench.runs[2:] == [["slow"]]


def test_equal_and_abandoned_requests_do_not_count_for_a_batch() -> None:
    bench = Batches()
    first, same, left, last = (bench.join(name) for name in ("a", "a", "left", "b"))
    left.future.cancel()
    bench.run()
    assert bench.runs == [["a", "b"]]
    assert [call.future.result(0) for call in (first, same, last)] == ["a", "a", "b"]


def test_an_error_of_one_does_not_fail_the_others_of_its_batch() -> None:
    bench = Batches()
    calls = [bench.join(name) for name in ("a", "bad", "b")]
    bench.run()
    assert bench.runs == [["a", "bad", "b"], ["a"], ["bad"], ["b"]]
    assert [call.future.result(0) for call in calls] == ["a", "bad", "b"]


def test_a_run_waits_for_company_but_not_while_there_is_other_work() -> None:
    bench = Batches(most=2, wait_s=60)
    bench.join("a")
    bench.submit("other")
    bench.run(1)  # returns at once
    assert bench.runs == [["a"]]
    bench.run()
    bench.join("b")
    running = threading.Thread(target=bench.run, args=(1,))
    running.start()
    bench.join("c")
    running.join(30)
    assert bench.runs == [["a"], ["b", "c"]]


# What pays, measured


class Times(torch.nn.Module):
    """So many times its input; where it is `broken`, more in a batch."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__()
        self.broken = broken

    @torch.jit.export
    def use_precision(self, bits: int) -> None:
        pass

    def forward(self, x: torch.Tensor, factor: int) -> torch.Tensor:
        return x * factor + (len(x) - 1 if self.broken else 0)


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], None]:
    """`takes(call_s, item_s)`: what a run takes from now on, and for each of its items, by the engine's clock."""
    clock, call = [0.0], Engine._call

    def set_time(call_s: float, item_s: float) -> None:
        def counted(
            engine: Engine, module: Any, model: ModelFile, method: str, arguments: Sequence[Any], **options: int
        ) -> Any:
            clock[0] += call_s + item_s * batching.items(arguments)
            return call(engine, module, model, method, arguments, **options)

        monkeypatch.setattr(Engine, "_call", counted)
        monkeypatch.setattr("runtime.engine.time.perf_counter", lambda: clock[0])

    return set_time


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with closing(Engine("cpu", 1)) as engine:
        yield engine


@pytest.fixture
def model_of(tmp_path: Path) -> Callable[[torch.nn.Module], ModelFile]:
    def write(module: torch.nn.Module) -> ModelFile:
        golden = Golden("forward", [[21], 2], digest(np.array([42])))
        write_model(tmp_path, card_bytes=cards.encode(card(golden=[golden])), module=module)
        return Registry(tmp_path).find("doubler")

    return write


Model = Callable[..., ModelFile]
Takes = Callable[[float, float], None]


@pytest.mark.parametrize(
    ("call_s", "item_s", "most"),
    [
        (0.01, 0.0, batching.LARGEST),
        (0.01, 0.001, 32),
        (0.01, 0.01, 8),
        (0.01, 0.04, 2),
        (0.001, 0.01, 1),
        (0.0, 0.01, 1),
        (0.4, 0.02, 4),  # eight would take too long
    ],
)
def test_the_choice_follows_the_time(
    engine: Engine, model_of: Model, takes: Takes, call_s: float, item_s: float, most: int
) -> None:
    takes(call_s, item_s)
    chosen = engine.submit(engine.choose_batching, model_of(Times())).result()
    engine._batching.clear()
    assert chosen == Batching(most, pytest.approx(batching.WAIT_SHARE * (call_s + item_s)) if most > 1 else 0.0)


@pytest.mark.parametrize(("longest_s", "most"), [(0.0, 1), (0.055, 4), (0.07, 8)])
def test_no_run_is_longer_than_it_may_be(model_of: Model, takes: Takes, longest_s: float, most: int) -> None:
    takes(0.04, 0.0025)
    with closing(Engine("cpu", 1, longest_batch_s=longest_s)) as engine:
        assert engine.submit(engine.choose_batching, model_of(Times())).result().max_batch_size == most


def test_none_are_made_where_the_bytes_differ(
    engine: Engine, model_of: Model, takes: Takes, caplog: pytest.LogCaptureFixture
) -> None:
    takes(0.01, 0.0)
    assert engine.submit(engine.choose_batching, model_of(Times(broken=True))).result() == Batching()
    assert "other bytes in a batch of 2" in caplog.text


def test_searches_share_their_models_runs_and_get_their_own_results(model_of: Model, takes: Takes) -> None:
    runs: list[tuple[str, int]] = []
    engine, model = Engine("cpu", 1), model_of(Times())
    takes(0.01, 0.0)
    engine.submit(engine.choose_batching, model).result()
    gate, items = threading.Event(), [np.array([i] * (1 + i % 2)) for i in range(4)]
    dispatcher = Dispatcher(
        engine, workers=Workers(1), observe=lambda queue, _wait, _run, jobs, _calls: runs.append((queue, jobs))
    )
    engine.submit(gate.wait)

    async def ask() -> list[bytes]:
        works = [
            Search("search", b"%d" % i, lambda executor, x=x: executor.run(model, "forward", x, 3).tolist())
            for i, x in enumerate(items)
        ]
        answers = [dispatcher.start(work, Options(), Flow()) for work in works]
        while dispatcher.scheduler.busy < len(items):
            await asyncio.sleep(0)
        gate.set()
        return [packed.data for packed in await asyncio.gather(*answers)]

    assert asyncio.run(ask()) == [pack((3 * x).tolist()).data for x in items]
    assert ("doubler", 4) in runs
    dispatcher.close()
