"""What a client is granted: requests, bytes and time, and that what one takes costs no other."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from runtime.errors import Code
from runtime.limits import Limits
from runtime.messages import Packed, Response, pack
from runtime.server import Server

# Requests, and answers that are not read


async def test_requests_over_the_limit_wait_unread_and_are_served_in_turn(service, connect):
    async with Server(service, port=0, limits=Limits(max_in_flight=3)) as server:
        busy, other = await connect(server), await connect(server)
        await busy.send(b"".join(busy.wait_request(i) for i in range(10)))
        await service.until(service.started, 3)
        assert await other.still_served()
        assert service.started == [0, 1, 2]
        service.gate.set()
        assert sorted([(await busy.receive()).msgid for _ in range(10)]) == list(range(10))


async def test_refused_requests_give_their_slots_back(service, connect):
    async with Server(service, port=0, limits=Limits(max_in_flight=2)) as server:
        peer = await connect(server)
        for msgid in range(5):
            assert (await peer.call(msgid, "echo", [7])).error[0] == Code.INVALID_PARAMS
        assert await peer.still_served()


async def test_a_request_can_be_cancelled_with_all_slots_taken(service, connect):
    async with Server(service, port=0, limits=Limits(max_in_flight=2)) as server:
        peer = await connect(server)
        await peer.send(peer.wait_request(1) + peer.wait_request(2))
        await peer.send(peer.wire.send_notification("cancel", [{"msgid": 2}]))
        assert (await peer.receive()).error[0] == Code.CANCELLED
        assert await peer.still_served()
        service.gate.set()


async def test_a_slow_reader_holds_up_only_itself(service, connect):
    """Its answers, 32 MB, do not fit in the sockets' buffers; it gets them when it reads, and others meanwhile."""
    async with Server(service, port=0, limits=Limits(max_in_flight=4)) as server:
        slow, other = await connect(server, slow=True), await connect(server)
        await slow.send(b"".join(slow.wire.send_request(i, "array", [{"count": 1 << 18}]) for i in range(64)))
        for i in range(50):
            assert await other.call(i, "echo", []) == Response(i, None, {})
        [peer] = [peer for peer in server._peers if not peer._outbox.open]
        assert peer._link.get_write_buffer_size() < 2 * (1 << 19)  # one response, and a little
        assert len(peer._outbox) + len(peer._in_flight) <= 4
        assert sorted([(await slow.receive()).msgid for _ in range(64)]) == list(range(64))


async def test_a_reader_that_never_reads_is_cut_off(service, connect):
    async with Server(service, port=0, limits=Limits(send_timeout_s=0.05)) as server:
        slow = await connect(server, slow=True)
        await slow.send(b"".join(slow.wire.send_request(i, "array", [{"count": 1 << 18}]) for i in range(64)))
        while not server._peers:
            await asyncio.sleep(0)
        while server._peers:
            await asyncio.sleep(0.01)
        got = []
        with contextlib.suppress(ConnectionError):
            while data := await slow.reader.read(1 << 20):
                got += slow.wire.receive_data(data)
        assert len(got) < 64


async def test_a_slow_reader_that_breaks_the_protocol_is_told_so_and_gets_no_more(service, connect, caplog):
    """The reason is the last message, though answers wait behind what it has not read."""
    async with Server(service, port=0) as server:
        slow = await connect(server, slow=True)
        await slow.send(b"".join(slow.wire.send_request(i, "array", [{"count": 1 << 20}]) for i in range(20)))
        while not any(len(peer._outbox) for peer in server._peers):
            await asyncio.sleep(0)
        await slow.send(b"\xc1")
        got = []
        while (event := await slow.receive()) is not None:
            got.append(event)
        assert got[-1].params[0]["code"] == Code.PARSE_ERROR
        assert 1 <= len(got) < 20
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_an_idle_connection_is_closed_but_not_a_waiting_one(service, connect):
    async with Server(service, port=0, limits=Limits(idle_timeout_s=0.2)) as server:
        waiting = await connect(server)
        await waiting.send(waiting.wait_request(1))
        await service.until(service.started, 1)
        idle = await connect(server)
        assert await idle.receive() is None
        service.gate.set()
        assert await waiting.receive() == Response(1, None, {"name": 1})
        assert await waiting.receive() is None


async def test_one_connection_too_many_is_told_so(service, connect):
    async with Server(service, port=0, limits=Limits(max_connections=2)) as server:
        first, second, third = [await connect(server) for _ in range(3)]
        assert await first.still_served()
        assert await second.still_served()
        notice = await third.receive()
        assert notice.params[0]["code"] == Code.OVERLOADED
        assert await third.receive() is None
        first.writer.close()
        await first.writer.wait_closed()
        while len(server._peers) > 1:
            await asyncio.sleep(0)
        assert await (await connect(server)).still_served()


class Quick:
    """A service that knows every answer at once."""

    def __init__(self) -> None:
        self.asked = []

    def call(self, method: str, *_: object, **__: object) -> Packed:
        self.asked.append(method)
        return pack(None)


async def test_a_flood_of_small_requests_waits_for_others(connect):
    """3,000 come in one packet; what another client asks then is answered before most of them."""
    quick = Quick()
    async with Server(quick, port=0) as server:
        flood, other = await connect(server), await connect(server)
        await flood.call(0, "first", [])
        await other.call(0, "first", [])
        requests = [flood.wire.send_request(i, "many", []) for i in range(3000)]
        flood.writer.write(b"".join(requests))
        other.writer.write(other.wire.send_request(1, "one", []))
        assert await other.receive() == Response(1, None, None)
        assert sorted([(await flood.receive()).msgid for _ in range(3000)]) == list(range(3000))
        assert len(quick.asked) == 3003
        assert quick.asked.index("one") < 1500


async def test_a_flood_is_answered_whole_when_the_server_closes(connect):
    async with Server(Quick(), port=0) as server:
        flood = await connect(server)
        await flood.call(0, "first", [])
        flood.writer.write(b"".join(flood.wire.send_request(i, "many", []) for i in range(3000)))
        assert await flood.receive() == Response(0, None, None)
        closing = asyncio.create_task(server.close())
        answers = [await flood.receive() for _ in range(2999)]
        assert [answer.msgid for answer in answers] == list(range(1, 3000))
        assert {answer.error[0] for answer in answers if answer.error} <= {Code.SHUTTING_DOWN}
        assert await flood.is_told_of_the_end()
        await closing


# Bytes and time


async def test_a_message_over_the_limit(service, connect):
    async with Server(service, port=0, limits=Limits(max_message_bytes=100)) as server:
        peer = await connect(server)
        assert await peer.still_served()
        await peer.send(peer.wire.send_request(1, "echo", [{"data": bytes(100)}]))
        notice = await peer.receive()
        assert notice.params[0]["code"] == Code.PARSE_ERROR
        assert "the limit is 100" in notice.params[0]["message"]


async def test_depth_and_values_over_the_limit(service, connect):
    async with Server(service, port=0, limits=Limits(max_depth=4, max_values=20)) as server:
        for bad, words in (([[[[]]]], "nested more than 4"), (list(range(20)), "the limit is 20")):
            peer = await connect(server)
            assert await peer.still_served()
            await peer.send(peer.wire.send_request(1, "echo", [{"data": bad}]))
            assert words in (await peer.receive()).params[0]["message"]


async def test_bytes_in_flight_are_limited(service, connect):
    """Large requests wait unread although there are few of them."""
    limits = Limits(max_in_flight_bytes=2500)
    async with Server(service, port=0, limits=limits) as server:
        busy, other = await connect(server), await connect(server)
        await busy.send(b"".join(busy.wait_request(i, data=bytes(1000)) for i in range(6)))
        await service.until(service.started, 3)
        assert await other.still_served()
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
        assert await slow.still_served()
        receiving = asyncio.create_task(slow.receive())
        for byte in slow.wire.send_request(1, "echo", [{"text": "x" * 100}]):
            slow.writer.write(bytes([byte]))
            if receiving.done():
                break
            await asyncio.sleep(0.01)
        notice = await receiving
        assert notice.params[0]["code"] == Code.DEADLINE_EXCEEDED
        assert "longer than 0.1 s" in notice.params[0]["message"]
        assert await other.still_served()


async def test_whole_messages_may_be_far_apart_and_wait_for_their_turn(service, connect):
    """Neither a pause between messages nor a request that waits for room counts as a slow message."""
    async with Server(service, port=0, limits=Limits(message_timeout_s=0.05, max_in_flight=1)) as server:
        peer = await connect(server)
        await peer.send(peer.wait_request(1) + peer.wait_request(2))
        await asyncio.sleep(0.15)
        service.gate.set()
        assert await peer.receive() == Response(1, None, {"name": 1})
        assert await peer.receive() == Response(2, None, {"name": 2})


async def test_a_peer_that_does_not_read_is_congested_and_then_not(service, connect):
    async with Server(service, port=0, limits=Limits(max_unsent_bytes=1 << 20)) as server:
        slow = await connect(server, slow=True)
        requests = [slow.wire.send_request(i, "wait_array", [{"name": i, "count": 1 << 18}]) for i in range(20)]
        await slow.send(b"".join(requests))
        await service.until(service.started, 20)
        [peer] = server._peers
        assert not peer.flow.congested
        service.gate.set()
        while not peer.flow.congested:
            await asyncio.sleep(0.01)
        for _ in range(20):
            await slow.receive()
        assert not peer.flow.congested
        assert peer._outbox.bytes == 0


@pytest.mark.parametrize("bad", [{"max_in_flight": 0}, {"idle_timeout_s": -1.0}, {"max_message_bytes": 1 << 24}])
def test_limits_that_can_not_be(bad):
    [name] = bad
    with pytest.raises(ValueError, match=name):
        Limits(**bad)
