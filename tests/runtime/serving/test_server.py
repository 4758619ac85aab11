"""A server starts and closes."""

from __future__ import annotations

import asyncio
import socket

import pytest

from runtime.errors import Code
from runtime.serving.limits import Limits
from runtime.serving.server import Server
from runtime.wire.protocol import Response


async def test_nagle_is_off(server, service, connect):
    peer = await connect(server)
    await peer.send(peer.wait_request(1))
    await service.until(service.started, 1)
    [served] = server._peers
    assert served._link.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_close_responds_to_requests_that_were_not_read_yet(service, connect):
    """Of 500 requests two run; some are read and wait for room, most are still in the sockets."""
    async with Server(service, port=0, limits=Limits(max_in_flight=2)) as server:
        peer = await connect(server)
        requests = [peer.wait_request(i, data=bytes(2000)) for i in range(500)]
        sending = asyncio.create_task(peer.send(b"".join(requests)))
        await service.until(service.started, 2)
        closing = asyncio.create_task(server.close(grace_s=60))
        await asyncio.sleep(0)
        service.gate.set()
        answers = [await peer.receive() for _ in range(500)]
        assert sorted(answer.msgid for answer in answers) == list(range(500))
        done = {answer.msgid for answer in answers if answer.error is None}
        assert done == {0, 1}
        assert {answer.error[0] for answer in answers if answer.error} == {Code.SHUTTING_DOWN}
        assert await peer.is_told_of_the_end()
        await asyncio.gather(sending, closing)


async def test_close_waits_for_running_requests_and_refuses_new_ones(server, service, connect):
    peer = await connect(server)
    await peer.send(peer.wait_request(1))
    await service.until(service.started, 1)
    closing = asyncio.create_task(server.close(grace_s=60))
    await asyncio.sleep(0)
    response = await peer.call(2, "echo", [])
    assert (response.msgid, response.error[0]) == (2, Code.SHUTTING_DOWN)
    service.gate.set()
    assert await peer.receive() == Response(1, None, {"name": 1})
    assert await peer.is_told_of_the_end()
    await closing
    with pytest.raises(ConnectionRefusedError):
        await connect(server)


async def test_close_ends_what_outlasts_the_grace(server, service, connect):
    peer = await connect(server)
    await peer.send(peer.wait_request(1))
    await service.until(service.started, 1)
    closing = asyncio.create_task(server.close(grace_s=0))
    response = await peer.receive()
    assert (response.msgid, response.error[0]) == (1, Code.SHUTTING_DOWN)
    assert service.cancelled == [1]
    assert await peer.is_told_of_the_end()
    await closing


async def test_close_does_not_wait_for_disconnected_clients(server, service, connect):
    peer = await connect(server)
    await peer.send(peer.wait_request(1))
    await service.until(service.started, 1)
    closing = asyncio.create_task(server.close(grace_s=60))
    await asyncio.sleep(0)
    peer.reset()
    await asyncio.wait_for(closing, 30)
    assert service.cancelled == [1]


async def test_a_cancelled_close_does_not_block_other_callers(server, service, connect):
    peer = await connect(server)
    await peer.send(peer.wait_request(1))
    await service.until(service.started, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(server.close(grace_s=60), 0.01)
    service.gate.set()
    closing = asyncio.create_task(server.close())
    assert await peer.receive() == Response(1, None, {"name": 1})
    assert await peer.is_told_of_the_end()
    await asyncio.wait_for(closing, 30)


async def test_serve_forever_returns_after_close(service, connect):
    server = Server(service, port=0)
    serving = asyncio.create_task(server.serve_forever())
    while not server.port:
        await asyncio.sleep(0)
    assert await (await connect(server)).still_served()
    assert not serving.done()
    await asyncio.gather(server.close(), server.close())
    await serving


async def test_a_server_that_never_started_closes(service):
    server = Server(service, port=1234)
    assert server.port == 1234
    await server.close()


async def test_a_port_in_use(server, service):
    with pytest.raises(OSError, match="address already in use"):
        await Server(service, port=server.port).start()
