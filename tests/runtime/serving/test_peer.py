"""One connected client: responses, errors, cancelling, and what the server does when it breaks the protocol."""

from __future__ import annotations

import asyncio
import logging

import pytest

from runtime.errors import Code
from runtime.serving.limits import Limits
from runtime.serving.server import Server
from runtime.wire.arrays import from_wire
from runtime.wire.protocol import Framing, Notification, Response

FRAMINGS = [Framing.STREAM, Framing.PREFIXED]


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
    await peer.send(peer.wait_request(1) + peer.wire.send_request(2, "echo", []))
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
    assert await peer.receive() == Response(9, None, {"alive": True})


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
async def test_after_an_error_response_the_connection_goes_on(server, connect, method, params, code, words):
    peer = await connect(server)
    response = await peer.call(3, method, params)
    assert response.msgid == 3
    assert response.error[0] == code
    assert words in response.error[1]
    assert response.result is None
    assert await peer.still_served()


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
    assert await peer.still_served()


async def test_an_invalid_request_gets_a_response(server, connect):
    peer = await connect(server)
    await peer.send(b"\x94\x00\x05\xa1m\x80")  # params: a map
    response = await peer.receive()
    assert (response.msgid, response.error[0]) == (5, Code.INVALID_REQUEST)
    assert await peer.still_served()


async def test_a_msgid_that_is_still_running(server, service, connect):
    peer = await connect(server)
    await peer.send(peer.wait_request(1) * 2)
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
    assert await peer.still_served()


async def test_a_service_may_notify(server, connect):
    peer = await connect(server)
    await peer.send(peer.wire.send_request(6, "notify", [{"msgid": 6}]))
    part = {"dtype": "|u1", "shape": [2], "data": b"\0\0"}
    assert await peer.receive() == Notification("progress", [{"msgid": 6, "part": part}])
    assert await peer.receive() == Response(6, None, None)


# Cancelling


async def test_cancel_ends_the_call_with_a_response(server, service, connect):
    peer = await connect(server)
    await peer.send(peer.wait_request(1) + peer.wait_request(2))
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
    await peer.send(peer.wait_request(1) + peer.wire.send_notification("cancel", [{"msgid": 1}]))
    response = await peer.receive()
    assert (response.msgid, response.error[0]) == (1, Code.CANCELLED)


@pytest.mark.parametrize("params", [[], [7], [{}], [{"msgid": 99}], [{"msgid": None}], [{"msgid": 1, "more": []}, 2]])
async def test_cancels_of_nothing(server, service, connect, params):
    peer = await connect(server)
    await peer.send(peer.wait_request(1) + peer.wire.send_notification("cancel", params))
    assert await peer.still_served()
    service.gate.set()
    assert await peer.receive() == Response(1, None, {"name": 1})


@pytest.mark.parametrize("abrupt", [False, True])
async def test_a_closed_connection_cancels_its_own_calls_and_no_others(server, service, connect, abrupt):
    leaver, stayer = await connect(server), await connect(server)
    await stayer.send(stayer.wait_request(7))
    await leaver.send(leaver.wait_request(1) + leaver.wait_request(2))
    await service.until(service.started, 3)
    leaver.reset() if abrupt else leaver.writer.close()
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
async def test_malformed_bytes_close_the_connection_with_a_reason(server, connect, data, code):
    bad, good = await connect(server), await connect(server)
    assert await good.still_served()
    await bad.send(data)
    notice = await bad.receive()
    assert notice.method == "error"
    assert notice.params[0]["code"] == code
    assert await bad.receive() is None
    assert await good.still_served()


@pytest.mark.parametrize("prefix", [b"\x01\x00\x00\x00", b"\xff\xff\xff\xff"])
async def test_a_huge_length_prefix_on_a_later_message(server, connect, prefix):
    peer = await connect(server, Framing.PREFIXED)
    assert await peer.still_served()
    await peer.send(prefix)
    notice = await peer.receive()
    assert notice.params[0]["code"] == Code.PARSE_ERROR
    assert await peer.receive() is None


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("abrupt", [False, True])
async def test_a_disconnect_inside_a_message(server, connect, framing, abrupt, caplog):
    caplog.set_level(logging.INFO, "runtime.serving.connection.peer")
    leaver, stayer = await connect(server, framing), await connect(server)
    assert await leaver.still_served()
    await leaver.send(leaver.wire.send_request(1, "echo", [{"text": "x" * 100}])[:-50])
    if abrupt:
        leaver.reset()
    else:
        leaver.writer.write_eof()
        assert await leaver.receive() is None
        assert "bytes into a message" in caplog.text
    assert await stayer.still_served()
    assert not any(record.levelno > logging.INFO for record in caplog.records)


async def test_the_reason_arrives_though_more_was_sent(server, connect):
    """A socket closed with bytes unread resets the connection, and the reason is lost."""
    peer = await connect(server)
    await peer.send(b"\xc1" + bytes(1 << 19))
    assert (await peer.receive()).params[0]["code"] == Code.PARSE_ERROR
    assert await peer.receive() is None


async def test_a_client_that_sends_garbage_for_ever_is_disconnected(server, connect):
    """It never reads why, and never stops: the server hangs up all the same."""
    peer = await connect(server)

    async def send_for_ever() -> None:
        while True:
            await peer.send(b"\xc1" * 4096)

    with pytest.raises(ConnectionError):
        await send_for_ever()
