"""Land that is a formula, a connection that gives it without a network, and a server that serves it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from runtime.errors import Code, RpcError
from runtime.server import Server

os.environ["SDL_VIDEODRIVER"] = "dummy"  # before any test initialises pygame


def formula_land(seed: int, x: int, y: int, size: int) -> np.ndarray:
    """Heights in quarter metres above -4,096 m: sea, shores and mountains, with slopes everywhere."""
    columns, rows = np.meshgrid(np.arange(x, x + size) + 100.0 * seed, np.arange(y, y + size))
    metres = 1500 * np.sin(columns / 97) * np.cos(rows / 61) + 300 * np.sin((columns + 2 * rows) / 17) + 600
    return np.rint((metres + 4096) * 4).astype("<u2")


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """What a runtime would answer."""
    match method:
        case "server.health":
            return {"ready": True}
        case "terrain.chunk":
            height = formula_land(params["seed"], params["x"], params["y"], params["size"])
            return {"height": height, "scale": 0.25, "offset": -4096.0, "meters_per_pixel": 90.0}
    raise RpcError(Code.METHOD_NOT_FOUND, f"no method {method!r}")


class FakeConnection:
    """Answers at once, unless `gate` is closed; keeps what was asked; raises what `errors` holds, one a call."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []  # seed, x, y
        self.errors: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = 0

    def call(self, method: str, /, **params: Any) -> Any:
        self.asked.append((params["seed"], params["x"], params["y"]))
        assert self.gate.wait(60)
        if self.errors:
            raise self.errors.pop(0)
        return answer(method, params)

    def close(self) -> None:
        self.closed += 1


def wait_until(true: Callable[[], object]) -> None:
    """Return when `true()` is; fail if that takes a minute."""
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.002)


class LandService:
    """Serves `answer`."""

    async def call(self, method: str, params: dict[str, Any], **_: Any) -> object:
        return answer(method, params)


@pytest.fixture
def land_server() -> Iterator[str]:
    """HOST:PORT of a server of land."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = Server(LandService(), port=0)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
    yield f"127.0.0.1:{server.port}"
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def connection() -> FakeConnection:
    return FakeConnection()


@pytest.fixture
def wait() -> Callable[[Callable[[], object]], None]:
    return wait_until


@pytest.fixture
def land() -> Callable[[int, int, int, int], np.ndarray]:
    return formula_land
