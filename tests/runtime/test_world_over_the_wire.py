"""The real server process and the bundled world, reached by every kind of client."""

from __future__ import annotations

import asyncio
import socket
import struct

import aio_msgpack_rpc
import numpy as np
import pytest

from runtime.client import AsyncClient, Client
from runtime.errors import Code, RpcError
from runtime.local import Local
from runtime.wire.arrays import from_wire

PLACE = {"seed": 7, "x": -40, "y": 100, "size": 70}


@pytest.fixture(scope="module")
def expected(bundled: Local) -> np.ndarray:
    return bundled.call("terrain.chunk", **PLACE)["height"]


def test_client_gets_what_local_gets(runtime_port: int, expected: np.ndarray) -> None:
    with Client("127.0.0.1", runtime_port) as client:
        assert client.call("server.health")["ready"]
        assert np.array_equal(client.call("terrain.chunk", **PLACE)["height"], expected)


async def test_async_client_pipelines(runtime_port: int, expected: np.ndarray) -> None:
    async with await AsyncClient.connect("127.0.0.1", runtime_port) as client:
        chunks = await asyncio.gather(
            *(client.call("terrain.chunk", **PLACE | {"x": PLACE["x"] + i}) for i in range(6))
        )
    assert np.array_equal(chunks[0]["height"], expected)
    assert np.array_equal(chunks[5]["height"][:, :-5], expected[:, 5:])


async def test_an_unmodified_third_party_client_gets_a_chunk(runtime_port: int, expected: np.ndarray) -> None:
    client = aio_msgpack_rpc.Client(*await asyncio.open_connection("127.0.0.1", runtime_port))
    chunk = await client.call("terrain.chunk", PLACE)
    client.close()
    assert chunk["scale"] == 0.25
    assert np.array_equal(from_wire(chunk)["height"], expected)


def test_bad_requests_leave_the_server_alive(runtime_port: int, expected: np.ndarray) -> None:
    with Client("127.0.0.1", runtime_port) as client:
        for params, code in [
            (PLACE | {"size": 0}, Code.OUT_OF_RANGE),
            (PLACE | {"size": 100000}, Code.OUT_OF_RANGE),
            (PLACE | {"seed": None}, Code.INVALID_PARAMS),
            (PLACE | {"model": "none"}, Code.MODEL_NOT_FOUND),
        ]:
            with pytest.raises(RpcError) as caught:
                client.call("terrain.chunk", **params)
            assert caught.value.code is code
        with pytest.raises(RpcError) as caught:
            client.call("terrain.chunky")
        assert caught.value.code is Code.METHOD_NOT_FOUND
        for attack in (b"\xc1" * 10, b"\x94\x00", b"GET / HTTP/1.1\r\n", struct.pack(">I", 12) + b"\x94\x00"):
            with socket.create_connection(("127.0.0.1", runtime_port)) as other:
                other.sendall(attack)
        assert np.array_equal(client.call("terrain.chunk", **PLACE)["height"], expected)


def test_a_huge_length_prefix_after_a_good_message(runtime_port: int) -> None:
    from runtime.wire.protocol import Connection, Framing

    wire = Connection(Framing.PREFIXED)
    with socket.create_connection(("127.0.0.1", runtime_port), 10) as peer:
        peer.sendall(wire.send_request(1, "server.hello", [{}]))
        assert wire.receive_data(peer.recv(65536))[0].result["protocol"] == 1
        peer.sendall(b"\xff\xff\xff\xff")
        rest = b""
        while part := peer.recv(65536):  # an error, then the end
            rest += part
    assert b"-32700" in rest or struct.pack(">h", -32700) in rest
