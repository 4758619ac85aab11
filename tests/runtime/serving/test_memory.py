"""Memory that is given back: when, how often, and where the C library can't."""

from __future__ import annotations

import asyncio
import threading

import pytest

from runtime.serving import memory
from runtime.serving.memory import TRIM_BYTES, Trimmer


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads in which it was done."""
    done: list[str] = []

    def trim(pad: int) -> int:
        assert pad == 0
        done.append(threading.current_thread().name)
        return 1

    monkeypatch.setattr(memory, "find_trim", lambda: trim)
    monkeypatch.setattr(memory, "TRIM_DELAY_S", 0.01)
    return done


async def until_done(trimmer: Trimmer, trims: list[str], count: int) -> None:
    while trimmer.trims < count or len(trims) < count:
        await asyncio.sleep(0.001)


async def test_a_burst_is_given_back_once_and_beside_the_event_loop(trims: list[str]) -> None:
    trimmer = Trimmer()
    for _ in range(10):
        trimmer.burst_is_over()
    await until_done(trimmer, trims, 1)
    assert trimmer.trims == 1
    assert trims[0] != threading.main_thread().name
    trimmer.burst_is_over()
    await until_done(trimmer, trims, 2)


async def test_connections_that_moved_little_are_no_burst(trims: list[str]) -> None:
    trimmer = Trimmer()
    trimmer.connection_is_over(TRIM_BYTES - 1)
    await asyncio.sleep(0.02)
    assert trimmer.trims == 0
    trimmer.connection_is_over(TRIM_BYTES)
    await until_done(trimmer, trims, 1)
    trimmer.connection_is_over(2 * TRIM_BYTES - 1)
    await asyncio.sleep(0.02)
    assert trimmer.trims == 1


async def test_after_close_nothing_is_done(trims: list[str]) -> None:
    trimmer = Trimmer()
    trimmer.burst_is_over()
    trimmer.close()
    trimmer.burst_is_over()
    await asyncio.sleep(0.03)
    assert (trimmer.trims, trims) == (0, [])


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
async def test_where_the_library_can_not(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def no_library(_: None) -> None:
        raise error

    monkeypatch.setattr(memory.ctypes, "CDLL", no_library)
    monkeypatch.setattr(memory, "TRIM_DELAY_S", 0.0)
    trimmer = Trimmer()
    trimmer.burst_is_over()
    await asyncio.sleep(0.01)
    assert trimmer.trims == 0
