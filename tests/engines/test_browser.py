"""The page for browsers in headless Chromium, which is told what to do by its DevTools; skipped where there is none."""

from __future__ import annotations

import asyncio
import base64
import functools
import io
import itertools
import json
import shutil
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect

from runtime.serving.server import Server

PAGE = Path(__file__).parents[2] / "demos" / "engines" / "browser"
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--window-size=820,1000", "--remote-debugging-port=0"),
]
TINTS = {120: (112, 158, 92), -40: (94, 163, 193)}  # metres, the colour there on flat ground


class Tab:
    """A page that Chromium shows."""

    def __init__(self, devtools: ClientConnection) -> None:
        self._devtools, self._ids = devtools, itertools.count(1)

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._devtools.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(await self._devtools.recv())).get("id") != number:
            pass
        return answer["result"]

    async def title(self, of: Callable[[str], bool]) -> str:
        """The page's title, once it is one of these."""
        while True:
            title = (await self.ask("Runtime.evaluate", expression="document.title"))["result"]["value"]
            if of(title):
                return title
            await asyncio.sleep(0.1)

    async def land(self) -> np.ndarray:
        """The canvas, (768, 768, 3)."""
        window = (await self.ask("Page.captureScreenshot"))["data"]
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(window))).convert("RGB")).astype(int)
        script = "JSON.stringify(document.querySelector('canvas').getBoundingClientRect())"
        box = json.loads((await self.ask("Runtime.evaluate", expression=script))["result"]["value"])
        left, top = round(box["x"]), round(box["y"])
        return picture[top : top + 768, left : left + 768]


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("not installed: chromium")
    process = await asyncio.create_subprocess_exec(
        chromium, *QUIET, f"--user-data-dir={tmp_path}", "about:blank", stderr=asyncio.subprocess.DEVNULL
    )
    told = tmp_path / "DevToolsActivePort"
    while not (told.exists() and told.read_text()):
        assert process.returncode is None
        await asyncio.sleep(0.1)
    with urllib.request.urlopen(f"http://127.0.0.1:{told.read_text().split()[0]}/json") as answer:
        address = next(page for page in json.load(answer) if page["type"] == "page")["webSocketDebuggerUrl"]
    async with connect(address, max_size=None) as devtools:
        yield Tab(devtools)
    process.terminate()
    await process.wait()


@pytest.fixture
def site() -> Iterator[str]:
    """The origin that the page is served from."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=PAGE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Chequers:
    """Nine flat chunks, by turns land and sea."""

    async def call(self, method: str, params: dict[str, Any], *, connection: Any) -> object:
        assert (method, params["stream"], len(params["places"])) == ("terrain.chunks", True, 9)
        for index, (x, y) in enumerate(params["places"]):
            metres = list(TINTS)[((x + 1) // 256 + (y + 1) // 256) % 2]
            height = np.full((params["size"], params["size"]), (metres + 4096) * 4, "<u2")
            chunk = {"height": height, "scale": 0.25, "offset": -4096.0, "meters_per_pixel": 90.0}
            await connection.notify("item", {"index": index, "chunk": chunk})
        return {"count": 9}


async def test_every_chunk_is_where_it_belongs(tab: Tab, site: str) -> None:
    async with Server(Chequers(), port=0, websocket_port=0, origins=[site]) as server:
        await tab.ask("Page.navigate", url=f"{site}/?seed=3&server=127.0.0.1:{server.websocket_port}")
        title = await tab.title(lambda title: not title.endswith(("asking", "of 9 chunks")) and title != "")
        await server.close(grace_s=0)
    assert title == "pcg: seed 3, 9 chunks"
    land = await tab.land()
    expected = np.array([list(TINTS.values())[(row + column) % 2] for row in range(3) for column in range(3)])
    np.testing.assert_allclose(land[128::256, 128::256].reshape(9, 3), expected, atol=1)


async def test_a_page_of_another_site_is_refused_and_says_so(tab: Tab, site: str) -> None:
    async with Server(Chequers(), port=0, websocket_port=0, origins=["https://game.example"]) as server:
        await tab.ask("Page.navigate", url=f"{site}/?server=127.0.0.1:{server.websocket_port}")
        assert "no runtime answers" in await tab.title(lambda title: "answers" in title or "chunks" in title)
        await server.close(grace_s=0)
