"""A MessagePack-RPC client that knows nothing of us, as its authors publish it: aio-msgpack-rpc."""

from __future__ import annotations

import asyncio

import aio_msgpack_rpc
import pytest
from aio_msgpack_rpc.error import RPCResponseError

from runtime.errors import Code
from runtime.wire.arrays import from_wire


@pytest.fixture
async def client(server):
    client = aio_msgpack_rpc.Client(*await asyncio.open_connection("127.0.0.1", server.port))
    yield client
    client.close()


async def test_a_call(client):
    assert await client.call("echo", {"seed": 7, "text": "hé", "data": b"\0"}) == {
        "seed": 7,
        "text": "hé",
        "data": b"\0",
    }
    assert await client.call("echo") == {}


async def test_an_array(client):
    result = await client.call("array", {"count": 1000})
    assert result["height"].keys() == {"dtype", "shape", "data"}
    assert from_wire(result)["height"].tolist() == list(range(1000))


async def test_an_error(client):
    with pytest.raises(RPCResponseError) as caught:
        await client.call("ehco", {})
    code, message, details = caught.value.args[0]
    assert code == Code.METHOD_NOT_FOUND
    assert "did you mean 'echo'?" in message
    assert details == {}
    assert await client.call("echo") == {}


async def test_calls_at_once(client):
    results = await asyncio.gather(*(client.call("echo", {"n": n}) for n in range(200)))
    assert [result["n"] for result in results] == list(range(200))


async def test_cancel_is_an_ordinary_notification(client, service):
    call = asyncio.create_task(client.call("wait", {"name": "slow"}))
    await service.until(service.started, 1)
    await client.notify("cancel", {"msgid": 0})  # its first msgid
    with pytest.raises(RPCResponseError) as caught:
        await call
    assert caught.value.args[0][0] == Code.CANCELLED
