from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct

import pytest

from runtime.arrays import from_wire
from runtime.errors import Code
from runtime.limits import Limits
from runtime.protocol import Connection, Framing, Notification, Response
from runtime.server import Server

FRAMINGS = [Framing.STREAM, Framing.PREFIXED]
ECHOED = Response(9, None, {"alive": True})


async def still_serves(peer) -> bool:
    return await peer.call(9, "echo", [{"alive": True}]) == ECHOED


def reset(peer) -> None:
    """Close so that the other side sees a reset, not an end."""
    peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.writer.transport.abort()


def wait_request(peer, msgid: int, **params) -> bytes:
    return peer.wire.send_request(msgid, "wait", [{"name": msgid, **params}])


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_call(server, connect, framing):
    peer = await connect(server, framing)
    assert await peer.call(0, "echo", [{"text": "hé", "n": -5}]) == Response(0, None, {"text": "hé", "n": -5})
    assert await peer.call(2**32 - 1, "echo", []) == Response(2**32 - 1, None, {})


async def test_arrays_in_params_and_results(server, connect):
    peer = await connect(server)
    array = {"dtype": "<f4", "shape": [2], "data": b"\0\0\x80\x3f\0\0\0\x40"}
    response = await peer.call(1, "double", [{"values": array}])
    assert from_wire(response.result)["values"].tolist() == [2.0, 4.0]


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_responses_leave_as_they_finish(server, service, connect, framing):
    peer = await connect(server, framing)
    await peer.send(wait_request(peer, 1) + peer.wire.send_request(2, "echo", []))
    assert (await peer.receive()).msgid == 2
    service.gate.set()
    assert (await peer.receive()).msgid == 1


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_many_pipelined_requests(server, connect, framing):
    peer = await connect(server, framing)
    requests = [peer.wire.send_request(i, "echo", [{"i": i}]) for i in range(1000)]
    sending = asyncio.create_task(peer.send(b"".join(requests)))
    responses = [await peer.receive() for _ in range(1000)]
    await sending
    assert sorted(response.msgid for response in responses) == list(range(1000))
    assert all(response.result == {"i": response.msgid} for response in responses)


async def test_a_request_that_comes_byte_by_byte(server, connect):
    peer = await connect(server)
    for byte in peer.wire.send_request(9, "echo", [{"alive": True}]):
        await peer.send(bytes([byte]))
    assert await peer.receive() == ECHOED


async def test_nagle_is_off(server, service, connect):
    peer = await connect(server)
    await peer.send(wait_request(peer, 1))
    await service.until(service.started, 1)
    [served] = server._peers
    assert served._link.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# Errors


@pytest.mark.parametrize(
    ("method", "params", "code", "words"),
    [
        ("refuse", [], Code.OUT_OF_RANGE, "size 9999 is not in 1..2048"),
        ("ehco", [], Code.METHOD_NOT_FOUND, "did you mean 'echo'?"),
        ("echo", [{}, {}], Code.INVALID_PARAMS, "one map"),
        ("echo", [7], Code.INVALID_PARAMS, "one map"),
        ("echo", [{b"binary": 1}], Code.INVALID_PARAMS, "one map"),
        ("echo", [{"a": {"dtype": "<u2", "shape": [9], "data": b""}}], Code.INVALID_PARAMS, "needs 18"),
        ("unsendable", [], Code.INTERNAL_ERROR, "can't be sent"),
        ("refuse_badly", [], Code.OUT_OF_RANGE, "bad"),
    ],
)
async def test_an_error_answers_its_request_and_the_connection_goes_on(server, connect, method, params, code, words):
    peer = await connect(server)
    response = await peer.call(3, method, params)
    assert response.msgid == 3
    assert response.error[0] == code
    assert words in response.error[1]
    assert response.result is None
    assert await still_serves(peer)


async def test_details_reach_the_client(server, connect):
    peer = await connect(server)
    assert (await peer.call(3, "refuse", [])).error[2] == {"max": 2048}


async def test_an_exception_is_logged_and_its_text_stays_here(server, connect, caplog):
    peer = await connect(server)
    response = await peer.call(3, "fail", [])
    assert response.error == [Code.INTERNAL_ERROR, "fail failed; the server's log says why", {"request": "1-3"}]
    assert "a secret of the server" in caplog.text
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.fields == {"id": "1-3", "method": "fail"}
    assert await still_serves(peer)


async def test_an_invalid_request_is_answered(server, connect):
    peer = await connect(server)
    await peer.send(b"\x94\x00\x05\xa1m\x80")  # params: a map
    response = await peer.receive()
    assert (response.msgid, response.error[0]) == (5, Code.INVALID_REQUEST)
    assert await still_serves(peer)


async def test_a_msgid_that_is_still_running(server, service, connect):
    peer = await connect(server)
    await peer.send(wait_request(peer, 1) * 2)
    response = await peer.receive()
    assert (response.msgid, response.error[0]) == (1, Code.INVALID_REQUEST)
    service.gate.set()
    assert await peer.receive() == Response(1, None, {"name": 1})
    assert await peer.call(1, "echo", []) == Response(1, None, {})


async def test_a_result_larger_than_a_message(service, connect):
    async with Server(service, port=0, limits=Limits(max_result_bytes=1000)) as server:
        peer = await connect(server)
        response = await peer.call(1, "array", [{"count": 500}])
        assert response.error[0] == Code.OUT_OF_RANGE
        assert "1000" in response.error[1]
        assert from_wire((await peer.call(2, "array", [{"count": 400}])).result)["height"].shape == (400,)


async def test_notifications_and_responses_that_mean_nothing_are_ignored(server, connect):
    peer = await connect(server)
    await peer.send(peer.wire.send_notification("no such", [{"a": 1}]) + peer.wire.send_response(4, result=5))
    assert await still_serves(peer)


async def test_a_service_may_notify(server, connect):
    peer = await connect(server)
    await peer.send(peer.wire.send_request(6, "notify", [{"msgid": 6}]))
    part = {"dtype": "|u1", "shape": [2], "data": b"\0\0"}
    assert await peer.receive() == Notification("progress", [{"msgid": 6, "part": part}])
    assert await peer.receive() == Response(6, None, None)


# Cancelling


async def test_cancel_ends_the_call_and_answers_it(server, service, connect):
    peer = await connect(server)
    await peer.send(wait_request(peer, 1) + wait_request(peer, 2))
    await service.until(service.started, 2)
    await peer.send(peer.wire.send_notification("cancel", [{"msgid": 1}]))
    response = await peer.receive()
    assert (response.msgid, response.error[0]) == (1, Code.CANCELLED)
    assert service.cancelled == [1]
    service.gate.set()
    assert await peer.receive() == Response(2, None, {"name": 2})


async def test_cancel_in_the_same_packet_as_its_request(server, connect):
    """The call's task has not begun yet, and is answered all the same."""
    peer = await connect(server)
    await peer.send(wait_request(peer, 1) + peer.wire.send_notification("cancel", [{"msgid": 1}]))
    response = await peer.receive()
    assert (response.msgid, response.error[0]) == (1, Code.CANCELLED)


@pytest.mark.parametrize("params", [[], [7], [{}], [{"msgid": 99}], [{"msgid": None}], [{"msgid": 1, "more": []}, 2]])
async def test_cancels_of_nothing(server, service, connect, params):
    peer = await connect(server)
    await peer.send(wait_request(peer, 1) + peer.wire.send_notification("cancel", params))
    assert await still_serves(peer)
    service.gate.set()
    assert await peer.receive() == Response(1, None, {"name": 1})


@pytest.mark.parametrize("abrupt", [False, True])
async def test_a_closed_connection_cancels_its_own_calls_and_no_others(server, service, connect, abrupt):
    leaver, stayer = await connect(server), await connect(server)
    await stayer.send(wait_request(stayer, 7))
    await leaver.send(wait_request(leaver, 1) + wait_request(leaver, 2))
    await service.until(service.started, 3)
    reset(leaver) if abrupt else leaver.writer.close()
    await service.until(service.cancelled, 2)
    service.gate.set()
    assert await stayer.receive() == Response(7, None, {"name": 7})
    assert sorted(service.cancelled) == [1, 2]


# Peers that break the protocol


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", Code.PARSE_ERROR),
        (b"\x94\x00\x01\xa1m\xc1", Code.PARSE_ERROR),
        (b"\x94\x00\x01\xa1m\xdd\xff\xff\xff\xff", Code.PARSE_ERROR),
        (b"\x94\x00\x01\xa1m\x91" + b"\x91" * 5000, Code.PARSE_ERROR),
        (b"\x93\x02\x07\x90", Code.INVALID_REQUEST),
        (b"\x93\x02\xa1m\x90\xc0", Code.INVALID_REQUEST),
    ],
)
async def test_what_can_not_be_understood_ends_its_connection_with_a_reason(server, connect, data, code):
    bad, good = await connect(server), await connect(server)
    assert await still_serves(good)
    await bad.send(data)
    notice = await bad.receive()
    assert notice.method == "error"
    assert notice.params[0]["code"] == code
    assert await bad.receive() is None
    assert await still_serves(good)


@pytest.mark.parametrize("prefix", [b"\x01\x00\x00\x00", b"\xff\xff\xff\xff"])
async def test_a_huge_length_prefix_on_a_later_message(server, connect, prefix):
    peer = await connect(server, Framing.PREFIXED)
    assert await still_serves(peer)
    await peer.send(prefix)
    notice = await peer.receive()
    assert notice.params[0]["code"] == Code.PARSE_ERROR
    assert await peer.receive() is None


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("abrupt", [False, True])
async def test_a_disconnect_inside_a_message(server, connect, framing, abrupt, caplog):
    caplog.set_level(logging.INFO, "runtime.peer")
    leaver, stayer = await connect(server, framing), await connect(server)
    assert await still_serves(leaver)
    await leaver.send(leaver.wire.send_request(1, "echo", [{"text": "x" * 100}])[:-50])
    if abrupt:
        reset(leaver)
    else:
        leaver.writer.write_eof()
        assert await leaver.receive() is None
        assert "bytes into a message" in caplog.text
    assert await still_serves(stayer)
    assert not any(record.levelno > logging.INFO for record in caplog.records)


async def test_the_reason_arrives_though_more_was_sent(server, connect):
    """A socket closed with bytes unread resets the connection, and the reason is lost."""
    peer = await connect(server)
    await peer.send(b"\xc1" + bytes(1 << 19))
    assert (await peer.receive()).params[0]["code"] == Code.PARSE_ERROR
    assert await peer.receive() is None


async def test_a_peer_that_sends_rubbish_for_ever_is_let_go(server, connect):
    """It never reads why, and never stops: the server hangs up all the same."""
    peer = await connect(server)

    async def send_for_ever() -> None:
        while True:
            await peer.send(b"\xc1" * 4096)

    with pytest.raises(ConnectionError):
        await send_for_ever()


# Limits


async def test_requests_over_the_limit_wait_unread_and_are_served_in_turn(service, connect):
    async with Server(service, port=0, limits=Limits(max_in_flight=3)) as server:
        busy, other = await connect(server), await connect(server)
        await busy.send(b"".join(wait_request(busy, i) for i in range(10)))
        await service.until(service.started, 3)
        assert await still_serves(other)
        assert service.started == [0, 1, 2]
        service.gate.set()
        assert sorted([(await busy.receive()).msgid for _ in range(10)]) == list(range(10))


async def test_refused_requests_give_their_slots_back(service, connect):
    async with Server(service, port=0, limits=Limits(max_in_flight=2)) as server:
        peer = await connect(server)
        for msgid in range(5):
            assert (await peer.call(msgid, "echo", [7])).error[0] == Code.INVALID_PARAMS
        assert await still_serves(peer)


async def test_a_request_can_be_cancelled_with_all_slots_taken(service, connect):
    async with Server(service, port=0, limits=Limits(max_in_flight=2)) as server:
        peer = await connect(server)
        await peer.send(wait_request(peer, 1) + wait_request(peer, 2))
        await peer.send(peer.wire.send_notification("cancel", [{"msgid": 2}]))
        assert (await peer.receive()).error[0] == Code.CANCELLED
        assert await still_serves(peer)
        service.gate.set()


async def test_a_slow_reader_holds_up_only_itself(service):
    """Its answers, 32 MB, do not fit in the sockets' buffers; it gets them when it reads, and others meanwhile."""
    async with Server(service, port=0, limits=Limits(max_in_flight=4)) as server:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, ("127.0.0.1", server.port))
        wire = Connection(Framing.STREAM)
        requests = [wire.send_request(i, "array", [{"count": 1 << 18}]) for i in range(64)]
        await loop.sock_sendall(slow, b"".join(requests))

        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        other = Connection(Framing.STREAM)
        for i in range(50):
            writer.write(other.send_request(i, "echo", []))
            assert other.receive_data(await reader.read(1000)) == [Response(i, None, {})]
        [peer] = [peer for peer in server._peers if not peer._outbox.open]
        assert peer._link.get_write_buffer_size() < 2 * (1 << 19)  # one response, and a little
        assert len(peer._outbox) + len(peer._in_flight) <= 4

        got = []
        while len(got) < 64:
            got += wire.receive_data(await loop.sock_recv(slow, 1 << 20))
        assert sorted(response.msgid for response in got) == list(range(64))
        slow.close()
        writer.close()


async def test_a_reader_that_never_reads_is_cut_off(service):
    async with Server(service, port=0, limits=Limits(send_timeout_s=0.05)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)  # stops reading at once
        wire = Connection(Framing.STREAM)
        writer.write(b"".join(wire.send_request(i, "array", [{"count": 1 << 18}]) for i in range(64)))
        while not server._peers:
            await asyncio.sleep(0)
        while server._peers:
            await asyncio.sleep(0.01)
        got = []
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 20):
                got += wire.receive_data(data)
        assert len(got) < 64
        writer.close()


async def test_an_idle_connection_is_closed_but_not_a_waiting_one(service, connect):
    async with Server(service, port=0, limits=Limits(idle_timeout_s=0.2)) as server:
        waiting = await connect(server)
        await waiting.send(wait_request(waiting, 1))
        await service.until(service.started, 1)
        idle = await connect(server)
        assert await idle.receive() is None
        service.gate.set()
        assert await waiting.receive() == Response(1, None, {"name": 1})
        assert await waiting.receive() is None


async def test_one_connection_too_many_is_told_so(service, connect):
    async with Server(service, port=0, limits=Limits(max_connections=2)) as server:
        first, second, third = [await connect(server) for _ in range(3)]
        assert await still_serves(first)
        assert await still_serves(second)
        notice = await third.receive()
        assert notice.params[0]["code"] == Code.OVERLOADED
        assert await third.receive() is None
        first.writer.close()
        await first.writer.wait_closed()
        while len(server._peers) > 1:
            await asyncio.sleep(0)
        assert await still_serves(await connect(server))


# Starting and closing


async def test_close_waits_for_running_requests_and_refuses_new_ones(server, service, connect):
    peer = await connect(server)
    await peer.send(wait_request(peer, 1))
    await service.until(service.started, 1)
    closing = asyncio.create_task(server.close(grace_s=60))
    await asyncio.sleep(0)
    response = await peer.call(2, "echo", [])
    assert (response.msgid, response.error[0]) == (2, Code.SHUTTING_DOWN)
    service.gate.set()
    assert await peer.receive() == Response(1, None, {"name": 1})
    await closing
    assert await peer.receive() is None
    with pytest.raises(ConnectionRefusedError):
        await connect(server)


async def test_close_ends_what_outlasts_the_grace(server, service, connect):
    peer = await connect(server)
    await peer.send(wait_request(peer, 1))
    await service.until(service.started, 1)
    await server.close(grace_s=0)
    response = await peer.receive()
    assert (response.msgid, response.error[0]) == (1, Code.SHUTTING_DOWN)
    assert service.cancelled == [1]
    assert await peer.receive() is None


async def test_serve_forever_returns_after_close(service, connect):
    server = Server(service, port=0)
    serving = asyncio.create_task(server.serve_forever())
    while not server.port:
        await asyncio.sleep(0)
    assert await still_serves(await connect(server))
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


# Limits of bytes and time


async def test_a_message_over_the_limit(service, connect):
    async with Server(service, port=0, limits=Limits(max_message_bytes=100)) as server:
        peer = await connect(server)
        assert await still_serves(peer)
        await peer.send(peer.wire.send_request(1, "echo", [{"data": bytes(100)}]))
        notice = await peer.receive()
        assert notice.params[0]["code"] == Code.PARSE_ERROR
        assert "the limit is 100" in notice.params[0]["message"]


async def test_depth_and_values_over_the_limit(service, connect):
    async with Server(service, port=0, limits=Limits(max_depth=4, max_values=20)) as server:
        for bad, words in (([[[[]]]], "nested more than 4"), (list(range(20)), "the limit is 20")):
            peer = await connect(server)
            assert await still_serves(peer)
            await peer.send(peer.wire.send_request(1, "echo", [{"data": bad}]))
            assert words in (await peer.receive()).params[0]["message"]


async def test_bytes_in_flight_are_limited(service, connect):
    """Large requests wait unread although there are few of them."""
    limits = Limits(max_in_flight_bytes=2500)
    async with Server(service, port=0, limits=limits) as server:
        busy, other = await connect(server), await connect(server)
        await busy.send(b"".join(wait_request(busy, i, data=bytes(1000)) for i in range(6)))
        await service.until(service.started, 3)
        assert await still_serves(other)
        assert service.started == [0, 1, 2]
        service.gate.set()
        assert sorted([(await busy.receive()).msgid for _ in range(6)]) == list(range(6))


async def test_a_request_over_the_bytes_in_flight_is_served_alone(service, connect):
    async with Server(service, port=0, limits=Limits(max_in_flight_bytes=100)) as server:
        peer = await connect(server)
        assert (await peer.call(1, "echo", [{"data": bytes(500)}])).result == {"data": bytes(500)}


async def test_a_message_that_takes_too_long_to_arrive(service, connect):
    async with Server(service, port=0, limits=Limits(message_timeout_s=0.1)) as server:
        slow, other = await connect(server), await connect(server)
        assert await still_serves(slow)
        receiving = asyncio.create_task(slow.receive())
        for byte in slow.wire.send_request(1, "echo", [{"text": "x" * 100}]):
            slow.writer.write(bytes([byte]))
            if receiving.done():
                break
            await asyncio.sleep(0.01)
        notice = await receiving
        assert notice.params[0]["code"] == Code.DEADLINE_EXCEEDED
        assert "longer than 0.1 s" in notice.params[0]["message"]
        assert await still_serves(other)


async def test_whole_messages_may_be_far_apart_and_wait_for_their_turn(service, connect):
    """Neither a pause between messages nor a request that waits for room counts as a slow message."""
    async with Server(service, port=0, limits=Limits(message_timeout_s=0.05, max_in_flight=1)) as server:
        peer = await connect(server)
        await peer.send(wait_request(peer, 1) + wait_request(peer, 2))
        await asyncio.sleep(0.15)
        service.gate.set()
        assert await peer.receive() == Response(1, None, {"name": 1})
        assert await peer.receive() == Response(2, None, {"name": 2})


async def test_a_peer_that_does_not_read_is_congested_and_then_not(service):
    async with Server(service, port=0, limits=Limits(max_unsent_bytes=1 << 20)) as server:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, ("127.0.0.1", server.port))
        wire = Connection(Framing.STREAM)
        requests = [wire.send_request(i, "wait_array", [{"name": i, "count": 1 << 18}]) for i in range(20)]
        await loop.sock_sendall(slow, b"".join(requests))
        await service.until(service.started, 20)
        [peer] = server._peers
        assert not peer.flow.congested
        service.gate.set()
        while not peer.flow.congested:
            await asyncio.sleep(0.01)
        got = []
        while len(got) < 20:
            got += wire.receive_data(await loop.sock_recv(slow, 1 << 20))
        assert not peer.flow.congested
        assert peer._outbox.bytes == 0
        slow.close()


@pytest.mark.parametrize("bad", [{"max_in_flight": 0}, {"idle_timeout_s": -1.0}, {"max_message_bytes": 1 << 24}])
def test_limits_that_can_not_be(bad):
    [name] = bad
    with pytest.raises(ValueError, match=name):
        Limits(**bad)
