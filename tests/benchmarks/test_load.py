"""Many clients for a minute:  pytest tests/benchmarks/test_load.py -s

A crowd asks for land, levels and characters, each client for the next thing as soon as it has the last. Beside it one
client asks for chunks with high priority, as a player's game does. No answer may be an error but OVERLOADED, the
server's memory has to level off, and what the player waits for is told beside what it waits for on an idle server.
Machines differ, and what else they do: only the errors and the memory are asserted.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import pytest
from crowd import Asks, Guest, Tally
from serving_process import Process, serving

from runtime.errors import Code
from runtime.registry import BUNDLED

CONNECTIONS, SECONDS, ALONE_S, ALONE_COUNT = 500, 60.0, 10.0, 5
PAUSE_S = 0.2  # of the player, between chunks
WORLDS, PLACES, SIZE = 4, 60, 64
MAX_QUEUED, CACHE_MB = 100, 32  # both small, so that the queues do overflow and the cache does fill
ROOM = ("##########", "#@       #", "# $  .   #", "#        #", "# .  $   #", "##########")
PLAYER = "terrain.chunk"
THINGS = (PLAYER, "levels.generate", "levels.solve", "characters.sheet")


def things(seed: int, methods: list[str]) -> Asks:
    """What one of the crowd asks for: mostly land, of a part of some worlds."""
    chance = random.Random(seed)
    kinds = [PLAYER] * 6 + methods
    while True:
        method = chance.choice(kinds)
        yield method, thing(method, chance)


def thing(method: str, chance: random.Random) -> dict[str, Any]:
    match method:
        case "terrain.chunk":
            x, y = (SIZE * chance.randrange(PLACES) for _ in range(2))
            return {"seed": chance.randrange(WORLDS), "x": x, "y": y, "size": SIZE}
        case "levels.generate":
            return {"seed": chance.randrange(10**6), "game": chance.choice(("sokoban", "dungeon"))}
        case "levels.solve":
            rows = [*ROOM[:3], "#" + "".join(chance.choice("   #") for _ in range(8)) + "#", *ROOM[4:]]
            return {"game": "sokoban", "rows": rows}
    return {"seed": chance.randrange(10**6)}


def chunks(first: int) -> Asks:
    """What the player asks for: always a chunk that nobody had before."""
    for i in itertools.count(first):
        yield PLAYER, {"seed": 10**6, "x": SIZE * i, "size": SIZE, "priority": "high"}


async def sample(process: Process, sizes: list[int]) -> None:
    while True:
        sizes.append(process.resident_bytes())
        await asyncio.sleep(1)


async def seconds_alone(guest: Guest) -> dict[str, float]:
    """The median of a few, of each thing that there is a model for."""
    chance, found = random.Random(-1), {}
    for method in THINGS:
        took = []
        for _ in range(ALONE_COUNT):
            began = time.monotonic()
            error, _ = await guest.ask(method, thing(method, chance))
            if error is not None and error[0] == Code.MODEL_NOT_FOUND:
                break
            assert error is None, error
            took.append(time.monotonic() - began)
        else:
            found[method] = statistics.median(took)
    return found


@dataclass
class Load:
    """What was measured. `sizes`: bytes of the server's memory, one a second; `alone`: seconds, by method."""

    alone: dict[str, float]
    idle: Tally  # the player's, with nobody else there
    player: Tally
    crowd: Tally
    sizes: list[int]


async def load(process: Process) -> Load:
    first = await Guest.connect(process.port)
    alone = await seconds_alone(first)
    idle, player, crowd, sizes = Tally(), Tally(), Tally(), []
    await first.keep_asking(chunks(0), time.monotonic() + ALONE_S, idle, PAUSE_S)
    guests = [await Guest.connect(process.port) for _ in range(CONNECTIONS)]
    watching = asyncio.create_task(sample(process, sizes))
    until = time.monotonic() + SECONDS
    asking = [guest.keep_asking(things(i, list(alone)), until, crowd) for i, guest in enumerate(guests)]
    await asyncio.gather(*asking, first.keep_asking(chunks(10**5), until, player, PAUSE_S))
    watching.cancel()
    for guest in [first, *guests]:
        guest.close()
    return Load(alone, idle, player, crowd, sizes)


def longest_runs(metrics: str) -> dict[str, float]:
    """Seconds within which all but a hundredth of each queue's runs were done, as the buckets of the histogram say."""
    buckets: dict[str, list[tuple[float, float]]] = {}
    for seconds, queue, count in re.findall(r'pcg_run_seconds_bucket\{le="(.*)",queue="(.*)"\} (.*)', metrics):
        buckets.setdefault(queue, []).append((float(seconds), float(count)))
    return {
        queue: next(seconds for seconds, count in found if count >= 0.99 * found[-1][1])
        for queue, found in buckets.items()
    }


def mean_mb(sizes: Sequence[int]) -> float:
    return statistics.mean(sizes) / (1 << 20)


def test_a_crowd_for_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--max-queued", MAX_QUEUED, "--cache-mb", CACHE_MB, "--metrics-port", 0, "--quiet")
    with serving(BUNDLED, *flags, PCG_SERVE_LIMITS_MAX_CONNECTIONS=str(CONNECTIONS + 10)) as process:
        metrics = process.line().removeprefix("metrics on ")
        found = asyncio.run(load(process))
        with urlopen(metrics) as page:
            batches = longest_runs(page.read().decode())
        code, log = process.stop()
    idle, player, crowd, sizes = found.idle, found.player, found.crowd, found.sizes
    part = max(1, len(sizes) // 6)
    start, middle, end = (mean_mb(sizes[at : at + part]) for at in (part, len(sizes) // 2, len(sizes) - part))
    with capsys.disabled():
        print(f"\n{CONNECTIONS} connections, {SECONDS:g} s, load average {os.getloadavg()[0]:.1f} at the end")
        for method, seconds in crowd.seconds.items():
            print(
                f"{method}: {len(seconds)} answers, {crowd.overloaded[method]} overloaded, "
                f"p50 {crowd.quantile(method, 0.5):.2f} s, p99 {crowd.quantile(method, 0.99):.2f} s; "
                f"alone {1000 * found.alone[method]:.0f} ms"
            )
        for name, tally in (("player alone", idle), ("player in the crowd", player)):
            p50, p99 = (1000 * tally.quantile(PLAYER, share) for share in (0.5, 0.99))
            print(f"{name}: {tally.answers} answers, {tally.overloaded.total()} overloaded, {p50:.0f} and {p99:.0f} ms")
        print("a run takes at most: " + ", ".join(f"{queue} {1000 * s:.0f} ms" for queue, s in batches.items()))
        print(f"memory: {start:.0f} MB after {part} s, {middle:.0f} MB in the middle, {end:.0f} MB at the end")
    assert not crowd.errors
    assert not player.errors
    assert (code, log.count("ERROR")) == (0, 0), log
    assert end < 1.1 * middle
