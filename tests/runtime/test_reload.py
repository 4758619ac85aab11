"""A model file replaced under load: requests that were taken keep the old one, later ones get the new."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from runtime import card as cards
from runtime.client import AsyncClient
from runtime.engine import Engine
from runtime.registry import BUNDLED, SUMS, Registry, read_card
from runtime.service import Service
from runtime.serving.server import Server


def put(folder: Path, version: str) -> str:
    """The bundled terrain model as another version, in the place of terrain.ts; its SHA-256."""
    data = (BUNDLED / "terrain-detail.ts").read_bytes()
    module = torch.jit.load(io.BytesIO(data))
    card = msgspec.structs.replace(read_card(data), version=version, golden=read_card(data).golden[:1])
    buffer = io.BytesIO()
    torch.jit.save(module, buffer, _extra_files={"card.json": cards.encode(card)})
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    unfinished = folder / "terrain.part"
    unfinished.write_bytes(buffer.getvalue())
    unfinished.replace(folder / "terrain.ts")
    (folder / SUMS).write_text(f"{digest}  terrain.ts\n")
    return digest


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path)


async def test_old_requests_finish_on_the_old_model(folder: Path) -> None:
    old = put(folder, "1")
    engine = Engine("cpu", 1)
    service = Service(Registry(folder), engine)
    service.warm_up()
    gate = threading.Event()

    async def chunk(client: AsyncClient, x: int, **params: Any) -> tuple[str, str, bytes]:
        made = await client.call("terrain.chunk", seed=1, x=x, size=8, **params)
        about = made["provenance"]
        return about["version"], about["sha256"], made["height"].tobytes()

    try:
        async with Server(service, port=0) as server, await AsyncClient.connect(port=server.port) as client:
            first = await chunk(client, 0)
            assert first[:2] == ("1", old)
            engine.submit(gate.wait, 60)
            waiting = [asyncio.create_task(chunk(client, 8 * i)) for i in range(1, 4)]
            while (await client.call("server.health"))["queue_depth"] < 3:
                await asyncio.sleep(0.01)
            new = put(folder, "2")
            reloading = asyncio.create_task(asyncio.to_thread(service.reload))
            await asyncio.sleep(0.05)
            listed = await client.call("models.list")
            assert [model["version"] for model in listed["models"]] == ["1"], "not before it is proved"
            gate.set()
            assert await reloading
            assert [answer[:2] for answer in await asyncio.gather(*waiting)] == [("1", old)] * 3
            assert await chunk(client, 0) == ("2", new, first[2]), "and not what was kept of the old one"
            assert (await client.call("server.health"))["ready"]
            while set(engine.loaded) != {new}:  # the old one goes with the last reference to it
                gc.collect()
                await asyncio.sleep(0.01)
    finally:
        gate.set()
        await asyncio.to_thread(service.close)
