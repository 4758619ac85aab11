"""terrain.chunk against the noise that games use, in one process:  python -m pytest tests/benchmarks -s

The pair runs in turn, so that a machine whose speed drifts slows both; the ratio of the medians is what to quote.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import noise
import pytest

from runtime.local import Local

SIZE, ROUNDS = 256, 30


def classic(step: int) -> list[float]:
    """The usual loop: eight octaves of Perlin noise for every pixel."""
    return [noise.pnoise2(x / 64 + step, y / 64, octaves=8) for y in range(SIZE) for x in range(SIZE)]


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def test_a_chunk_against_eight_octaves_of_noise(capsys: pytest.CaptureFixture[str]) -> None:
    """Every chunk is another place, so nothing is cached; request checks, control map and provenance are included."""
    with Local(device="cpu") as runtime:
        for i in range(5):
            runtime.call("terrain.chunk", seed=7, x=-i * SIZE, y=0, size=SIZE)
        chunks, loops = [], []
        for i in range(ROUNDS):
            chunks.append(seconds(lambda i=i: runtime.call("terrain.chunk", seed=7, x=i * SIZE, y=i, size=SIZE)))
            loops.append(seconds(lambda i=i: classic(i)))
        precision = next(iter(runtime.service.engine.loaded.values())).precision
    ratios = sorted(b / a for a, b in zip(chunks, loops, strict=True))
    with capsys.disabled():
        print(
            f"\nterrain.chunk {SIZE}x{SIZE} ({precision} bits): {1e3 * statistics.median(chunks):.1f} ms; "
            f"noise.pnoise2 loop, 8 octaves: {1e3 * statistics.median(loops):.1f} ms; "
            f"ratio {statistics.median(ratios):.2f} ({ratios[3]:.2f} to {ratios[-4]:.2f} in the middle eight tenths)"
        )
    assert len(ratios) == ROUNDS
