"""What terrain costs, beside the noise that games use:  python -m pytest tests/benchmarks -s

Nothing is asserted of times. What is compared runs in turn, so that a machine whose speed drifts slows all of it; the
ratios of pairs are what to quote, by their median.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import noise
import numpy as np
import pytest

from runtime.local import Local

THREADS = 2
SIZE, OCTAVES, ROUNDS = 256, 8, 20
ROW, FAR = 8, 10**6  # chunks in a row of those that a game streams; pixels between those that are far apart
SIZES = (128, 256, 512, 1024, 2048)

# Of a process that has done nothing yet: what a game waits for at its start, and what it takes of the machine.
FIRST_CALL = f"""
import time; began = time.perf_counter()
from pathlib import Path
from runtime.local import Local
runtime = Local(device="cpu", threads={THREADS})
imported = time.perf_counter() - began
runtime.service.warm_up()
proved = time.perf_counter() - began - imported
runtime.call("terrain.chunk", seed=7, size={SIZE})
first = time.perf_counter() - began - imported - proved
runtime.call("terrain.chunk", seed=7, x=10**6, size={SIZE}, layers=["water"])
layers = time.perf_counter() - began - imported - proved - first
def memory(what):
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith(what))
    return int(line.split()[1]) / 1024
small = memory("VmHWM")
runtime.call("terrain.chunk", seed=7, size=2048)
print(f"import {{imported:.2f}} s, load and prove {{proved:.2f}} s, first chunk {{1e3 * first:.0f}} ms, "
      f"first water, whose regions are new, {{1e3 * layers:.0f}} ms; resident at most {{small:.0f}} MB with chunks of "
      f"{SIZE}, {{memory('VmHWM'):.0f}} MB with one of 2048")
"""


@pytest.fixture(scope="module")
def runtime() -> Iterator[Local]:
    with Local(device="cpu", threads=THREADS) as runtime:
        for i in range(5):
            runtime.call("terrain.chunk", seed=7, x=-i * SIZE, size=SIZE)
        yield runtime


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def python_loop(step: int) -> list[float]:
    """The usual loop: eight octaves of Perlin noise for every pixel."""
    return [noise.pnoise2(x / 64 + step, y / 64, octaves=OCTAVES) for y in range(SIZE) for x in range(SIZE)]


def compiled_fbm() -> Callable[[int], object] | None:
    """The same with a compiled library, over a grid of coordinates made beforehand; None where it is not installed."""
    try:
        from pyfastnoiselite import pyfastnoiselite as fast
    except ImportError:
        return None
    fbm = fast.FastNoiseLite(seed=7)
    fbm.noise_type = fast.NoiseType.NoiseType_Perlin
    fbm.fractal_type = fast.FractalType.FractalType_FBm
    fbm.fractal_octaves, fbm.frequency = OCTAVES, 1 / 64
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    grid = np.stack([x.ravel(), y.ravel()])
    assert np.ptp(fbm.gen_from_coords(grid)) > 0.1
    return lambda _step: fbm.gen_from_coords(grid)


def test_a_chunk_against_eight_octaves_of_noise(runtime: Local, capsys: pytest.CaptureFixture[str]) -> None:
    """As a game streams them: rows of neighbours, every chunk a new one, with request checks and provenance.

    Most find the control map of their place made; what one costs far from all before is told apart, and so is the
    first of a row, which finds the processor's caches full of the rivals and its second core asleep.
    """
    rivals: dict[str, Callable[[int], object]] = {"noise.pnoise2 in a loop": python_loop}
    if fbm := compiled_fbm():
        rivals["pyfastnoiselite on a grid"] = fbm
    first, apart = [], []
    chunks: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for y in range(ROUNDS):
        row = [
            seconds(lambda x=x, y=y: runtime.call("terrain.chunk", seed=8, x=x * SIZE, y=y * SIZE, size=SIZE))
            for x in range(ROW)
        ]
        first.append(row[0])
        chunks.append(statistics.mean(row[1:]))
        apart.append(seconds(lambda y=y: runtime.call("terrain.chunk", seed=8, x=y * FAR, y=-FAR, size=SIZE)))
        for name, work in rivals.items():
            times[name].append(statistics.mean(seconds(lambda i=i, work=work: work(i)) for i in range(ROW // 2)))
    precision = next(iter(runtime.service.engine.loaded.values())).precision
    usual, cold, alone = (1e3 * statistics.median(taken) for taken in (chunks, first, apart))
    lines = [
        f"terrain.chunk {SIZE}x{SIZE}, {THREADS} threads, {precision} bits: {usual:.1f} ms; the first of a row "
        f"{cold:.1f} ms; far from all before {alone:.1f} ms"
    ]
    for name, taken in times.items():
        ratios = sorted(a / b for a, b in zip(chunks, taken, strict=True))
        spread = f"{ratios[ROUNDS // 10]:.2f} to {ratios[-1 - ROUNDS // 10]:.2f} in the middle eight tenths"
        rival = f"{name}, {OCTAVES} octaves: {1e3 * statistics.median(taken):.1f} ms"
        lines.append(f"{rival}; a chunk takes {statistics.median(ratios):.2f} of it ({spread})")
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def test_the_cost_of_a_pixel_by_the_size_of_the_chunk(runtime: Local, capsys: pytest.CaptureFixture[str]) -> None:
    for size in SIZES:
        runtime.call("terrain.chunk", seed=7, x=-size, size=size)
    lines = []
    for size in SIZES:
        rounds = max(3, 20 * SIZE // size)
        times = [
            seconds(lambda i=i, size=size: runtime.call("terrain.chunk", seed=7, x=i * size, y=-size, size=size))
            for i in range(rounds)
        ]
        best, usual = (1e9 * t / size**2 for t in (min(times), statistics.median(times)))
        lines.append(f"{size}x{size}: {1e-6 * usual * size**2:.1f} ms, {usual:.0f} ns a pixel, at best {best:.0f}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def test_memory_and_the_time_to_the_first_chunk(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    with capsys.disabled():
        print("\n" + done.stdout.strip())
