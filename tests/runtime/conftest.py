"""A service that needs no model, a server that serves it, and clients that may misbehave."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import numpy as np
import pytest
from bare_peer import BarePeer

from runtime.errors import Code, RpcError, did_you_mean
from runtime.serving.server import Server
from runtime.wire.protocol import Framing


class FakeService:
    """`wait` runs until `gate` opens; what started and what was cancelled is kept, by the name it was given."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.started: list[Any] = []
        self.cancelled: list[Any] = []
        self._changed = asyncio.Condition()

    async def call(self, method: str, params: dict[str, Any], *, connection: Any) -> object:
        match method:
            case "server.hello":
                return {"protocol": 1}
            case "echo":
                return params
            case "double":
                return {"values": params["values"] * 2}
            case "array":
                return {"height": np.arange(params["count"], dtype="<u2")}
            case "wait" | "wait_array":
                await self._note(self.started, params.get("name"))
                try:
                    await self.gate.wait()
                except asyncio.CancelledError:
                    await self._note(self.cancelled, params.get("name"))
                    raise
                return {"height": np.arange(params["count"], dtype="<u2")} if "count" in params else params
            case "fail":
                raise ZeroDivisionError("a secret of the server")
            case "refuse":
                raise RpcError(Code.OUT_OF_RANGE, "size 9999 is not in 1..2048", {"max": np.int64(2048)})
            case "refuse_badly":
                raise RpcError(Code.OUT_OF_RANGE, "bad", {"object": object()})
            case "unsendable":
                return {"object": object()}
            case "notify":
                await connection.notify("progress", {"msgid": params["msgid"], "part": np.zeros(2, "|u1")})
                return None
        known = ["echo", "double", "array", "wait", "fail", "refuse"]
        raise RpcError(Code.METHOD_NOT_FOUND, f"no method {method!r}{did_you_mean(method, known)}")

    async def _note(self, where: list[Any], what: Any) -> None:
        async with self._changed:
            where.append(what)
            self._changed.notify_all()

    async def until(self, where: list[Any], count: int) -> None:
        """Until `started` or `cancelled` holds `count` names."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(where) >= count)


@pytest.fixture
async def service():
    return FakeService()


@pytest.fixture
async def server(service):
    async with Server(service, port=0) as server:
        yield server
        await server.close(grace_s=0)


@pytest.fixture
async def connect():
    """`await connect(server)`: a BarePeer, closed at the test's end. A `slow` one takes nothing in but in `receive`."""
    peers = []

    async def connect(server: Server, framing: Framing = Framing.STREAM, *, slow: bool = False) -> BarePeer:
        limit = 1 if slow else 1 << 16
        peer = BarePeer(*await asyncio.open_connection("127.0.0.1", server.port, limit=limit), framing)
        if slow:
            peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        peers.append(peer)
        return peer

    yield connect
    for peer in peers:
        peer.writer.close()
