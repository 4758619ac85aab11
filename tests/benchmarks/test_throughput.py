"""What of a model's speed reaches many clients:  pytest tests/benchmarks/test_throughput.py -s

Chunks that nobody asked for before, made by calling the model in a loop, and made for 64 clients who ask for one after
the other; in turn, in one process, of the same worlds. The clients are a process of their own, as games are, or (which
is harder) in the runtime's.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
from crowd import Guest

from runtime.content.terrain.ground import LearnedControl
from runtime.engine import Engine
from runtime.registry import Registry
from runtime.service import Service
from runtime.serving.server import Server

CLIENTS, CHUNKS, ROUNDS, LEAST = 64, 128, 6, 90


def place(seed: int, size: int, index: int) -> dict[str, int]:
    return {"seed": seed, "x": index * size, "size": size}


def asked(port: int, seed: int, size: int) -> tuple[float, float]:
    """Seconds, and those of the processor, that clients who are connected take to be given all chunks of a world."""

    async def client(guest: Guest, places: Iterator[int]) -> None:
        for index in places:
            error, _ = await guest.ask("terrain.chunk", place(seed, size, index))
            assert error is None, error

    async def clients() -> tuple[float, float]:
        guests, places = [await Guest.connect(port) for _ in range(CLIENTS)], iter(range(CHUNKS))
        began, used = time.perf_counter(), time.thread_time()
        await asyncio.gather(*(client(guest, places) for guest in guests))
        taken = time.perf_counter() - began, time.thread_time() - used
        for guest in guests:
            guest.close()
        return taken

    return asyncio.run(clients())


class Served:
    """A runtime of this process: one thread for the model, one for the event loop."""

    def __init__(self) -> None:
        self.engine = Engine("cpu", 1)
        self.service = Service(Registry(), self.engine)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.server = Server(self.service, port=0)
        asyncio.run_coroutine_threadsafe(self.server.start(), self.loop).result()

    def forget(self) -> None:
        """The control maps of what was made: they are part of the work of both."""
        self.service._learned = LearnedControl()

    def used(self) -> tuple[float, float]:
        """Seconds of the processor: the engine's thread, the event loop's."""

        async def of_loop() -> float:
            return time.thread_time()

        loop = asyncio.run_coroutine_threadsafe(of_loop(), self.loop).result()
        return self.engine.submit(time.thread_time).result(), loop

    def in_a_loop(self, seed: int, size: int) -> float:
        """Seconds that the model takes when it is called directly for all chunks of a world."""
        works = [self.service._work("terrain.chunk", dict(place(seed, size, i))) for i in range(CHUNKS)]

        def loop() -> float:
            began = time.perf_counter()
            for work in works:
                work.run()
            return time.perf_counter() - began

        return self.engine.submit(loop).result()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.service.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.mark.parametrize("size", [256, 128])
@pytest.mark.parametrize("apart", [True, False], ids=["clients apart", "clients in the process"])
def test_uncached_chunks_against_the_model_in_a_loop(
    served: Served, capsys: pytest.CaptureFixture[str], size: int, apart: bool
) -> None:
    rows: list[tuple[float, ...]] = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:

        def clients(seed: int) -> tuple[float, float]:
            return (
                pool.submit(asked, served.server.port, seed, size).result()
                if apart
                else asked(served.server.port, seed, size)
            )

        for turn in range(ROUNDS + 1):
            seed = 10_000 * size + 100 * apart + turn
            found: dict[str, tuple[float, ...]] = {}

            def direct(seed: int = seed, found: dict[str, tuple[float, ...]] = found) -> None:
                found["direct"] = (served.in_a_loop(seed, size),)

            def through(seed: int = seed, found: dict[str, tuple[float, ...]] = found) -> None:
                before = served.used()
                seconds, theirs = clients(seed)
                found["served"] = seconds, *(a - b for a, b in zip(served.used(), before, strict=True)), theirs

            steps: list[Callable[[], None]] = [direct, through] if turn % 2 else [through, direct]
            for step in steps:
                served.forget()
                step()
            if turn:  # the first warms up
                rows.append((*found["direct"], *found["served"]))
    ratios = [100 * row[0] / row[1] for row in rows]
    alone, wall, engine, loop, theirs = (
        1000 * statistics.median(column) / CHUNKS for column in zip(*rows, strict=True)
    )
    with capsys.disabled():
        print(
            f"\n{CLIENTS} clients {'of another process' if apart else 'in the process'}, uncached chunks of {size}: "
            f"{statistics.median(ratios):.0f} % of the model's speed in a loop "
            f"({', '.join(f'{ratio:.0f}' for ratio in ratios)}; to be at least {LEAST}); for a chunk {alone:.2f} ms in "
            f"the loop, {wall:.2f} served, of which engine {engine:.2f}, event loop {loop:.2f}, clients {theirs:.2f} "
            f"of the processor; load average {os.getloadavg()[0]:.1f}"
        )
