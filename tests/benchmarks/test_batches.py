"""What batches are worth:  pytest tests/benchmarks/test_batches.py -s

By the item, in the processor's time, so that other work on the machine counts little; and what clients of a runtime who
ask for levels at the same time have of it, while a player waits for chunks.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import statistics
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from crowd import Guest, Tally
from serving_process import serving

from runtime.batching import join
from runtime.engine import Engine
from runtime.registry import BUNDLED, Registry
from runtime.scheduling.dispatcher import Dispatcher
from runtime.scheduling.workers import Workers
from runtime.service import Service

SIZES, RUNS = (1, 2, 4, 8, 16, 32), 3
MOST_MS = (0, 100, 500)
CLIENTS, ROUNDS, PAUSE_S = 16, 3, 0.1
LEVELS = {"sokoban": 48, "dungeon": 32, "platformer": 12}  # a turn


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    engine = Engine("cpu", 1)
    service = Service(Registry(), engine, Dispatcher(engine, workers=Workers(2)))
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


async def levels_and_a_player(port: int, game: str, first_seed: int) -> tuple[float, list[float]]:
    """Seconds that the clients' levels take, and each that a player waits meanwhile for a new chunk."""
    guests, player = [await Guest.connect(port) for _ in range(CLIENTS)], await Guest.connect(port)
    seeds, waited = iter(range(first_seed, first_seed + LEVELS[game])), Tally()

    async def client(guest: Guest) -> None:
        for seed in seeds:
            error, _ = await guest.ask("levels.generate", {"seed": seed, "game": game})
            assert error is None, error

    chunks = (("terrain.chunk", {"seed": first_seed, "x": 128 * i, "size": 128, "priority": "high"}) for i in count())
    playing = asyncio.create_task(player.keep_asking(chunks, math.inf, waited, PAUSE_S))
    began = time.perf_counter()
    await asyncio.gather(*map(client, guests))
    taken = time.perf_counter() - began
    playing.cancel()
    for guest in [*guests, player]:
        guest.close()
    return taken, waited.seconds["terrain.chunk"]


@pytest.mark.timeout(1200)
def test_levels_for_many_clients(capsys: pytest.CaptureFixture[str]) -> None:
    """Of runtimes that differ in `max_batch_ms`, asked in turn for the same levels."""
    with contextlib.ExitStack() as stack:
        ports = {
            most_ms: stack.enter_context(serving(BUNDLED, "--threads", 1, "--max-batch-ms", most_ms, "--quiet")).port
            for most_ms in MOST_MS
        }
        for number, (game, levels) in enumerate(LEVELS.items()):
            took: dict[int, list[float]] = {most_ms: [] for most_ms in MOST_MS}
            waits: dict[int, list[float]] = {most_ms: [] for most_ms in MOST_MS}
            for turn in range(ROUNDS + 1):
                for most_ms, port in ports.items():
                    taken, waited = asyncio.run(levels_and_a_player(port, game, 10_000 * number + 1000 * turn))
                    if turn:  # the first warms up
                        took[most_ms].append(taken)
                        waits[most_ms] += waited
            for most_ms in MOST_MS:
                times = [alone / taken for alone, taken in zip(took[MOST_MS[0]], took[most_ms], strict=True)]
                p50, p99 = (1000 * quantile(waits[most_ms], share) for share in (0.5, 0.99))
                with capsys.disabled():
                    print(
                        f"\nlevels of {game} for {CLIENTS} clients, max_batch_ms {most_ms}: "
                        f"{levels / statistics.median(took[most_ms]):.2f} a second, {statistics.median(times):.2f} "
                        f"times those one by one ({', '.join(f'{t:.2f}' for t in times)}); "
                        f"a player waits {p50:.0f} ms for a chunk, p99 {p99:.0f} ms ({len(waits[most_ms])} chunks); "
                        f"load average {os.getloadavg()[0]:.1f}"
                    )


def quantile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]
