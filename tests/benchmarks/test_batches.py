"""What batches are worth:  pytest tests/benchmarks/test_batches.py -s

By the item, in the processor's time, so that other work on the machine counts little; and what clients who ask for
levels at the same time have of it.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from runtime.batching import Batching, join
from runtime.engine import Engine
from runtime.jobs import Flow
from runtime.parameters import Options
from runtime.registry import Registry
from runtime.runner import Runner
from runtime.service import Service
from runtime.workers import Workers

SIZES, RUNS = (1, 2, 4, 8, 16, 32), 3
CLIENTS, ROUNDS, LEVELS = 8, 5, 24


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    engine = Engine("cpu", 1)
    service = Service(Registry(), engine, Runner(engine, workers=Workers(2)))
    service.warm_up()
    yield service
    service.close()


def calls(service: Service, method: str, **params: Any) -> list[tuple[Any, ...]]:
    """What the engine is called with for a request."""
    engine, seen = service.engine, []
    run, engine.run = engine.run, lambda *call: seen.append(call) or run(*call)  # type: ignore[method-assign]
    service.call_blocking(method, params)
    engine.run = run  # type: ignore[method-assign]
    return seen


def by_the_item(engine: Engine, model: Any, method: str, arguments: Any) -> list[float]:
    """Milliseconds of the processor, for each of SIZES."""
    item = [a if isinstance(a, int) else a[:1] for a in arguments]
    times = []
    for size in SIZES:
        call, taken = join([item] * size), []
        for _ in range(RUNS):
            began = time.process_time()
            engine.submit(engine.run, model, method, *call).result()
            taken.append(time.process_time() - began)
        times.append(1000 * min(taken) / size)
    return times


def test_what_an_item_costs(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["ms an item, in runs of " + ", ".join(map(str, SIZES))]
    for game in ("sokoban", "dungeon", "platformer"):
        *_, last = calls(service, "levels.generate", seed=1, game=game, require_solution=False)
        lines.append(
            f"level-{game}: " + ", ".join(f"{ms:.1f}" for ms in by_the_item(service.engine, *last[:2], last[2:]))
        )
    for size in (128, 256):
        *_, last = calls(service, "terrain.chunk", seed=1, size=size)
        each = ", ".join(f"{ms:.1f}" for ms in by_the_item(service.engine, *last[:2], last[2:]))
        lines.append(f"terrain-detail, {size}x{size}: {each}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def test_levels_for_many_clients(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    engine, seeds = service.engine, itertools.count(1)
    chosen = dict(engine._batching)

    async def ask() -> None:
        places = iter(range(LEVELS))

        async def client() -> None:
            flow = Flow()
            for _ in places:
                work = service._work("levels.generate", {"seed": next(seeds), "game": "sokoban"})
                answer = service._runner.start(work, Options(), flow)
                assert isinstance(answer, asyncio.Future)
                await answer

        await asyncio.gather(*(client() for _ in range(CLIENTS)))

    asyncio.run(ask())
    ratios, rates = [], []
    for _ in range(ROUNDS):
        took = []
        for batching in (chosen, dict.fromkeys(chosen, Batching())):
            engine._batching = batching
            began = time.perf_counter()
            asyncio.run(ask())
            took.append(time.perf_counter() - began)
        ratios.append(took[1] / took[0])
        rates.append(LEVELS / took[0])
    with capsys.disabled():
        print(
            f"\n{CLIENTS} clients, levels of Sokoban: {statistics.median(rates):.1f} a second in batches, "
            f"{statistics.median(ratios):.2f} times those one by one ({', '.join(f'{r:.2f}' for r in ratios)}); "
            f"chosen: {sorted(set(chosen.values()))}"
        )
    assert np.isfinite(ratios).all()
