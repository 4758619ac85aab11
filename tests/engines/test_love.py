"""The LÖVE client in a window of a virtual screen: what its picture shows, of a whole runtime and of a made-up one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runtime.errors import Code, RpcError
from runtime.serving.server import Server

CLIENT = Path(__file__).parents[2] / "demos" / "engines" / "love"
LAND, LEVEL, SHEET = np.s_[48:560, 16:528], np.s_[48:416, 544:1056], np.s_[432:560, 544:1056]  # of the window, pixels
FLOOR, WALL, PERSON = (115, 102, 87), (69, 74, 92), (217, 89, 89)
QUARTERS = {120: (112, 158, 92), 700: (160, 173, 105), -40: (94, 163, 193), 22: (156, 181, 116)}  # metres, their tints
PEOPLE = ((250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0))  # up, left, down, right

Show = Callable[[int], Any]


@pytest.fixture
def show(tmp_path: Path, needs: Callable[..., None]) -> Show:
    """`await show(port)`: the window's pixels (600, 1072, 3) once the client has what it asks a runtime for."""
    needs("love", "--version")
    needs("xvfb-run", "--help")

    async def show(port: int) -> np.ndarray:
        path = tmp_path / "window.png"
        love = ["love", str(CLIENT), f"127.0.0.1:{port}", "--seed", "7", "--screenshot", str(path)]
        process = await asyncio.create_subprocess_exec(
            *("timeout", "250", "xvfb-run", "-a", "-s", "-screen 0 1280x800x24", *love),
            # x11, whatever the tests of the demo have set for pygame
            env=os.environ | {"XDG_DATA_HOME": str(tmp_path), "LIBGL_ALWAYS_SOFTWARE": "1", "SDL_VIDEODRIVER": "x11"},
            stdout=sys.stderr,
        )
        assert await process.wait() == 0
        return np.asarray(Image.open(path).convert("RGB")).astype(int)

    return show


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Pixels of a colour, to the last bit of rounding."""
    return int((np.abs(picture - colour).max(-1) <= 1).sum())


@pytest.mark.timeout(600)  # the runtime may have to start first
async def test_a_world_a_level_and_somebody_in_it(show: Show, runtime_port: int) -> None:
    window = await show(runtime_port)
    assert window.shape == (600, 1072, 3)
    land = window[LAND].reshape(-1, 3)
    assert len(np.unique(land, axis=0)) > 300
    assert land.std(0).max() > 3
    assert count(window[LEVEL], WALL) > 10000
    assert count(window[LEVEL], FLOOR) > 5000
    assert window[SHEET].std() > 5  # four people, or why there are none


class MadeUp:
    """Land in four quarters, a long way to a push, and people in one colour a direction; `people` False: none."""

    def __init__(self, *, people: bool) -> None:
        self.people = people

    async def call(self, method: str, params: dict[str, Any], **_: Any) -> object:
        match method:
            case "terrain.chunk":
                metres = np.array(list(QUARTERS)).reshape(2, 2).repeat(params["size"] // 2, 0)
                heights = ((metres.repeat(params["size"] // 2, 1) + 4096) * 4).astype("<u2")
                return {"height": heights, "scale": 0.25, "offset": -4096.0, "meters_per_pixel": 180.0}
            case "levels.generate":
                row = "#@" + " " * 20 + "$.#"
                return {"rows": ["#" * 25, row, "#" * 25], "solution": "r" * 20 + "R", "start": [1, 1]}
            case "characters.sheet" if self.people:
                image = np.zeros((256, 576, 4), "|u1")
                image[:, 64:, 3] = 255  # but for those who stand
                image[:, 64:, :3] = np.repeat(PEOPLE, 64, 0)[:, None]
                return {"image": image}
        raise RpcError(Code.MODEL_NOT_FOUND, "no model is named 'character-front'")


async def test_every_pixel_is_where_the_runtime_put_it(show: Show) -> None:
    async with Server(MadeUp(people=True), port=0) as server:
        window = await show(server.port)
        await server.close(grace_s=0)
    land = window[LAND]
    corners = land[10, 10], land[10, -10], land[-10, 10], land[-10, -10]
    assert [tuple(corner) for corner in corners] == list(QUARTERS.values())
    assert count(window[LEVEL], WALL) > count(window[LEVEL], FLOOR) > 0
    for column, colour in enumerate(PEOPLE):
        assert count(window[SHEET][:, 128 * column : 128 * (column + 1)], colour) > 100 * 128
    assert count(window[LEVEL], PEOPLE[3]) > 1000  # on the way


async def test_a_runtime_without_people_says_so(show: Show) -> None:
    async with Server(MadeUp(people=False), port=0) as server:
        window = await show(server.port)
        await server.close(grace_s=0)
    assert count(window[SHEET], (255, 255, 255)) > 50  # the text
    assert count(window[LEVEL], PERSON) > 30
