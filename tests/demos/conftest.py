"""Land that is a formula, a connection that gives it without a network, and a server that serves it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme

from runtime.address import Address
from runtime.errors import Code, RpcError
from runtime.serving.access import Tokens
from runtime.serving.server import Server

os.environ["SDL_VIDEODRIVER"] = "dummy"  # before any test initialises pygame


STYLES = ["varied", "flat"]
PALETTE = [{"name": "sea", "rgb": [10, 20, 200]}, {"name": "moor", "rgb": [120, 90, 140]}]


def formula_land(seed: int, x: int, y: int, size: int, lod: int = 0, style: str = "varied") -> np.ndarray:
    """Heights in quarter metres above -4,096 m: sea, shores and mountains, with slopes everywhere."""
    columns, rows = np.meshgrid(*(((at >> lod) + np.arange(size)) * 2.0**lod for at in (x, y)))
    columns += 100.0 * seed
    metres = 1500 * np.sin(columns / 97) * np.cos(rows / 61) + 300 * np.sin((columns + 2 * rows) / 17) + 600
    return np.rint((metres * (0.1 if style == "flat" else 1) + 4096) * 4).astype("<u2")


def formula_layer(name: str, heights: np.ndarray) -> np.ndarray:
    """A layer as the heights have it."""
    metres = heights / 4.0 - 4096
    match name:
        case "height":
            return heights
        case "water":  # lakes where the land is between 500 and 600 m high
            return np.where((metres > 500) & (metres < 600), 40, np.where(metres < 0, -4 * metres, 0)).astype("<u2")
        case "flow":
            return np.where(metres < 0, 0, 10.0 + heights).astype("<f4")
        case "biome":
            return (metres >= 0).astype("|u1")
    return (heights % 90).astype("|u1")  # slope


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """What a runtime would answer."""
    match method:
        case "server.hello":
            return {"protocol": 1}
        case "server.health":
            return {"ready": True}
        case "models.describe":
            return {"card": {"parameters": {"style": {"choices": STYLES}}}}
        case "terrain.chunk":
            return chunk(**params)
    raise RpcError(Code.METHOD_NOT_FOUND, f"no method {method!r}")


def chunk(
    seed: int, x: int = 0, y: int = 0, size: int = 256, lod: int = 0, style: str = "varied", layers: Any = ("height",)
) -> dict[str, Any]:
    """What terrain.chunk answers. The style "flat:1" is a blend."""
    if style.partition(":")[0] not in STYLES:
        raise RpcError(Code.INVALID_PARAMS, f"unknown style {style!r}")
    heights = formula_land(seed, x, y, size, lod, style.partition(":")[0])
    return {
        **{name: formula_layer(name, heights) for name in layers},
        **({"biome_palette": PALETTE} if "biome" in layers else {}),
        "scale": 0.25,
        "offset": -4096.0,
        "meters_per_pixel": 90.0 * 2**lod,
        "provenance": {"model": "formula", "sha256": "0f", "method": "terrain.chunk", "params": {"x": x, "y": y}},
    }


class FakeConnection:
    """Answers at once, unless `gate` is closed; keeps what was asked; raises what `errors` holds, one a call."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = 0

    def call(self, method: str, /, **params: Any) -> Any:
        self.asked.append(params)
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
        assert time.monotonic() < until, "waited a minute for nothing"
        time.sleep(0.002)


class LandService:
    """Serves `answer`."""

    async def call(self, method: str, params: dict[str, Any], **_: Any) -> object:
        return answer(method, params)


@contextlib.contextmanager
def serving(**options: Any) -> Iterator[Server]:
    """A server of land, with options of Server."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = Server(LandService(), port=0, **options)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def land_server() -> Iterator[Address]:
    """Where a server of land is."""
    with serving() as server:
        yield Address(port=server.port)


@pytest.fixture
def locked_server(tmp_path: Path) -> Iterator[dict[str, list[str]]]:
    """A server of land with TLS, a token and a Unix socket: the flags that lead there, by the way they take."""
    authority = trustme.CA()
    ca_file, token_file, unix = tmp_path / "ca.pem", tmp_path / "token", tmp_path / "socket"
    authority.cert_pem.write_to_path(ca_file)
    token_file.write_text("# of the studio's server\n\n0123456789abcdef\n")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(tls=context, tokens=Tokens(["f" * 16, "0123456789abcdef"]), unix=unix) as server:
        yield {
            "tls": [f"--server=tls://127.0.0.1:{server.port}", f"--token-file={token_file}", f"--tls-ca={ca_file}"],
            "unix": [f"--server=unix:{unix}"],
        }


@pytest.fixture
def connection() -> FakeConnection:
    return FakeConnection()


@pytest.fixture
def wait() -> Callable[[Callable[[], object]], None]:
    return wait_until


@pytest.fixture
def land() -> Callable[..., np.ndarray]:
    return formula_land
