"""The Python clients: calls, streams, reconnecting, and what they say of bad servers."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest

from runtime.client import AsyncClient, Client, ConnectionLost, NoRuntime
from runtime.errors import Code, RpcError
from runtime.serving.limits import Limits
from runtime.serving.server import Server
from runtime.wire.protocol import Connection, Framing, Notification, Request

FRAMINGS = [Framing.STREAM, Framing.PREFIXED]


class Blocking:
    """A Client whose calls run in a thread, so that a test can treat both clients alike."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, method: str, /, **params):
        return await asyncio.to_thread(self.client.call, method, **params)

    async def call_reporting(self, method: str, report, /, **params):
        return await asyncio.to_thread(self.client.call_reporting, method, report, **params)

    async def close(self) -> None:
        self.client.close()


@asynccontextmanager
async def opened(kind: str, port: int, **options):
    if kind == "blocking":
        client = Blocking(await asyncio.to_thread(Client, "127.0.0.1", port, **options))
    else:
        client = await AsyncClient.connect("127.0.0.1", port, **options)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture(params=["blocking", "async"])
def kind(request):
    return request.param


@asynccontextmanager
async def scripted(answer):
    """A server of raw bytes: `answer(request, wire)` gives what to send, or None to hang up."""
    requests, serving = [], []

    async def serve(reader, writer):
        serving.append(asyncio.current_task())
        wire = Connection()
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                requests.extend(events := wire.receive_data(data))
                replies = [answer(event, wire) for event in events]
                if None in replies:
                    break
                writer.write(b"".join(replies))
            writer.close()
            await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1], requests
    finally:
        listener.close()
        await asyncio.gather(*serving)


# Both clients


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_call(server, kind, framing):
    async with opened(kind, server.port, framing=framing) as client:
        assert await client.call("echo", seed=7, name="a") == {"seed": 7, "name": "a"}
        assert await client.call("echo") == {}


async def test_arrays_both_ways(server, kind):
    async with opened(kind, server.port) as client:
        sent = np.arange(6, dtype=">f8").reshape(2, 3)
        result = await client.call("double", values=sent)
        np.testing.assert_array_equal(result["values"], sent * 2)
        assert result["values"].dtype == np.dtype("<f8")
        assert (await client.call("array", count=70000))["height"][65537] == 1


async def test_an_error_response_is_raised_and_the_client_goes_on(server, kind):
    async with opened(kind, server.port) as client:
        with pytest.raises(RpcError, match=r"size 9999 is not in 1\.\.2048") as caught:
            await client.call("refuse")
        assert (caught.value.code, caught.value.details) == (Code.OUT_OF_RANGE, {"max": 2048})
        assert await client.call("echo") == {}


async def test_nobody_listens(kind):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refuses
        port = taken.getsockname()[1]
        with pytest.raises(NoRuntime, match=rf"no runtime answers at 127\.0\.0\.1:{port} .*'pcg serve'") as caught:
            async with opened(kind, port):
                pass
    assert isinstance(caught.value, ConnectionError)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer when the backlog is full")
async def test_a_connect_that_takes_too_long(kind):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # more than the backlog takes: the next is not answered
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with pytest.raises(NoRuntime, match="timed out"):
            async with opened(kind, port, connect_timeout_s=0.05):
                pass
        for each in waiting:
            each.close()


async def test_after_a_timeout_the_request_is_cancelled_and_its_late_response_skipped(kind):
    def answer(event, wire):
        if event == Request(1, "quick", []):
            return wire.send_response(0, result="late") + wire.send_response(1, result="in time")
        return b""

    async with scripted(answer) as (port, requests), opened(kind, port, timeout_s=0.05) as client:
        with pytest.raises(TimeoutError, match=r"slow had no answer .* within 0\.05 s"):
            await client.call("slow")
        (client.client if kind == "blocking" else client).timeout_s = None
        assert await client.call("quick") == "in time"
    assert requests[:2] == [Request(0, "slow", []), Notification("cancel", [{"msgid": 0}])]


async def test_responses_to_other_msgids_are_skipped(kind):
    def answer(event, wire):
        others = wire.send_response(event.msgid + 1000, result="not yours")
        return others + wire.send_response(event.msgid, result=5) + others

    async with scripted(answer) as (port, _), opened(kind, port) as client:
        assert await client.call("m") == 5


async def test_a_server_that_hangs_up(kind):
    async with scripted(lambda *_: None) as (port, _), opened(kind, port) as client:
        with pytest.raises(ConnectionLost, match="closed the connection"):
            await client.call("m")
        with pytest.raises(ConnectionLost):
            await client.call("m")


async def test_a_server_that_speaks_something_else(kind):
    async with scripted(lambda *_: b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _), opened(kind, port) as client:
        with pytest.raises(ConnectionLost, match="no runtime that this client understands"):
            await client.call("m")
        with pytest.raises(ConnectionLost):
            await client.call("m")


async def test_a_response_counts_even_with_garbage_after_it(kind):
    def answer(event, wire):
        return wire.send_response(event.msgid, result=5) + b"\xc1"

    async with scripted(answer) as (port, _), opened(kind, port) as client:
        assert await client.call("m") == 5
        with pytest.raises(ConnectionLost):
            await client.call("m")


async def test_a_farewell_says_why(service, kind):
    async with (
        Server(service, port=0, limits=Limits(max_connections=1)) as server,
        opened(kind, server.port) as first,
    ):
        assert await first.call("echo") == {}
        async with opened(kind, server.port) as second:
            with pytest.raises((RpcError, ConnectionLost), match="the server has its 1 connections"):
                await second.call("echo")
            with pytest.raises(ConnectionLost, match="the server has its 1 connections"):
                await second.call("echo")


async def test_notifications_and_requests_from_the_server_are_ignored(kind):
    def answer(event, wire):
        return (
            wire.send_notification("progress", [{"msgid": event.msgid}])
            + wire.send_notification("error", ["of another make"])
            + wire.send_request(event.msgid, "m", [])
            + wire.send_response(event.msgid, result=5)
        )

    async with scripted(answer) as (port, _), opened(kind, port) as client:
        assert await client.call("m") == 5


async def test_a_call_tells_how_far_it_is(kind):
    def answer(event, wire):
        told = [{"msgid": event.msgid, "done": done, "of": 9} for done in (3, 9)]
        notifications = [wire.send_notification("progress", [one]) for one in told]
        return b"".join(notifications) + wire.send_response(event.msgid, result=5)

    async with scripted(answer) as (port, requests), opened(kind, port) as client:
        told = []
        assert await client.call_reporting("m", lambda done, of: told.append((done, of)), seed=1) == 5
        assert told == [(3, 9), (9, 9)]
        assert requests[0].params == [{"seed": 1, "stream": True}]
        assert await client.call("m") == 5  # which is not told of


async def test_errors_of_another_make(kind):
    async with (
        scripted(lambda event, wire: wire.send_response(event.msgid, error="it broke")) as (port, _),
        opened(kind, port) as client,
    ):
        with pytest.raises(RpcError, match="it broke"):
            await client.call("m")


async def test_a_malformed_array_in_a_result(kind):
    broken = {"dtype": "<u2", "shape": [5], "data": b""}
    async with (
        scripted(lambda event, wire: wire.send_response(event.msgid, result=broken)) as (port, _),
        opened(kind, port) as client,
    ):
        with pytest.raises(ValueError, match="needs 10"):
            await client.call("m")


@pytest.mark.parametrize("value", [object(), np.array(["text"]), 2**64])
async def test_params_that_can_not_be_sent(server, kind, value):
    async with opened(kind, server.port) as client:
        with pytest.raises((TypeError, ValueError, OverflowError)):
            await client.call("echo", value=value)
        assert await client.call("echo") == {}


async def test_a_closed_client(server, kind):
    async with opened(kind, server.port) as client:
        await client.close()
        with pytest.raises(ConnectionLost, match="this client is closed"):
            await client.call("echo")


async def test_what_is_sent(kind):
    """One map, and an empty array where there are no parameters."""
    async with (
        scripted(lambda event, wire: wire.send_response(event.msgid)) as (port, requests),
        opened(kind, port) as client,
    ):
        await client.call("m")
        await client.call("n", a=np.int64(1), method="x")
    assert requests == [Request(0, "m", []), Request(1, "n", [{"a": 1, "method": "x"}])]


# The blocking client


async def test_threads_take_turns(server):
    client = await asyncio.to_thread(Client, "127.0.0.1", server.port)
    with client:
        results = await asyncio.gather(*(asyncio.to_thread(client.call, "echo", n=n) for n in range(50)))
    assert results == [{"n": n} for n in range(50)]


def test_a_server_that_reads_nothing_ends_the_connection():
    """Half a request may have left; nothing can follow it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        with Client("127.0.0.1", listener.getsockname()[1], timeout_s=0.05) as client:
            with pytest.raises(ConnectionLost, match="timed out"):
                client.call("m", data=bytes(15 << 20))
            with pytest.raises(ConnectionLost, match="timed out"):
                client.call("m")


def test_a_reset_while_waiting():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client = Client("127.0.0.1", listener.getsockname()[1])

        def reset() -> None:
            accepted, _ = listener.accept()
            accepted.recv(1)  # and closes with bytes unread: a reset
            accepted.close()

        thread = threading.Thread(target=reset)
        thread.start()
        with client, pytest.raises(ConnectionLost):
            client.call("m", text="x" * 100)
        thread.join()


# The asyncio client


async def test_many_calls_at_once(server):
    async with await AsyncClient.connect("127.0.0.1", server.port) as client:
        results = await asyncio.gather(*(client.call("echo", n=n) for n in range(500)))
    assert results == [{"n": n} for n in range(500)]


async def test_a_slow_call_does_not_hold_up_a_quick_one(server, service):
    async with await AsyncClient.connect("127.0.0.1", server.port) as client:
        slow = asyncio.create_task(client.call("wait", name="slow"))
        await service.until(service.started, 1)
        assert await client.call("echo") == {}
        assert not slow.done()
        service.gate.set()
        assert await slow == {"name": "slow"}


async def test_a_cancelled_call_is_cancelled_at_the_server(server, service):
    async with await AsyncClient.connect("127.0.0.1", server.port) as client:
        call = asyncio.create_task(client.call("wait", name="gone"))
        await service.until(service.started, 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await service.until(service.cancelled, 1)
        assert await client.call("echo") == {}


async def test_a_finished_call_is_not_cancelled():
    async with scripted(lambda event, wire: wire.send_response(event.msgid)) as (port, requests):
        async with await AsyncClient.connect("127.0.0.1", port) as client:
            for _ in range(3):
                await client.call("m")
        assert not any(isinstance(event, Notification) for event in requests)


async def test_closing_ends_the_calls_that_wait(server, service):
    client = await AsyncClient.connect("127.0.0.1", server.port)
    calls = [asyncio.create_task(client.call("wait")) for _ in range(3)]
    await service.until(service.started, 3)
    await client.close()
    for call in calls:
        with pytest.raises(ConnectionLost, match="this client is closed"):
            await call


async def test_a_lost_connection_ends_every_call_that_waits(server, service):
    async with await AsyncClient.connect("127.0.0.1", server.port) as client:
        calls = [asyncio.create_task(client.call("wait")) for _ in range(3)]
        await service.until(service.started, 3)
        [peer] = server._peers
        peer._link.abort()
        for call in calls:
            with pytest.raises(ConnectionLost):
                await call


def test_the_client_imports_no_torch():
    code = "import sys, runtime.client; print(sorted({'torch', 'runtime.serving.server', 'pcg'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
