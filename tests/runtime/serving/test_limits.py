"""What a client is granted: requests, bytes and time, and that what one takes costs no other."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.calls import Caller
from runtime.errors import Code
from runtime.parameters import Options
from runtime.scheduling import streaming
from runtime.scheduling.jobs import Flow
from runtime.scheduling.scheduler import Scheduler
from runtime.scheduling.work import Work
from runtime.serving import memory
from runtime.serving.connection.outbox import Budget, Outbox
from runtime.serving.limits import Limits
from runtime.serving.server import Server
from runtime.wire.messages import Packed, Response, pack

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


# All that do not read


class Full:
    """A link that takes nothing."""

    def __init__(self) -> None:
        self.taken = 0

    def write(self, data: bytes) -> None:
        self.taken += len(data)

    def get_write_buffer_size(self) -> int:
        return self.taken


class Reader:
    """An outbox of a client, and whether it was cut off."""

    def __init__(self, budget: Budget, client: str, most: int = 1000) -> None:
        self.flow, self.link, self.cut = Flow(client), Full(), 0
        self.outbox = Outbox(self.link, self.flow, most, budget, self.on_cut, joins=False)

    def on_cut(self, size: int) -> None:
        self.cut += size

    def leaves(self, size: int) -> None:
        """Leave a response unread: one that does not fit in the link, or one after that."""
        full = not self.outbox.open
        self.outbox.send(bytes(size))
        if not full:
            self.outbox.pause()


def test_the_largest_connection_of_the_largest_client_is_closed_first():
    budget = Budget(1000)
    many = [Reader(budget, "many") for _ in range(4)]
    one = Reader(budget, "one")
    one.leaves(390)
    for size, reader in zip((100, 150, 200, 140), many, strict=True):
        reader.leaves(size)
    assert budget.bytes == 980
    many[0].leaves(21)
    assert [reader.cut for reader in many] == [0, 0, 200, 0]
    assert (one.cut, budget.bytes) == (0, 801)
    one.leaves(200)
    assert [reader.cut for reader in many] == [0, 0, 200, 0]
    assert (one.cut, budget.bytes) == (590, 411)


def test_over_half_of_the_budget_connections_that_do_not_read_are_congested():
    relieved = []
    budget = Budget(1000, lambda: relieved.append(budget.bytes))
    first, second, reads = (Reader(budget, name) for name in ("first", "second", "reads"))
    first.leaves(300)
    assert not first.flow.congested
    second.leaves(201)
    assert first.flow.congested
    assert second.flow.congested
    reads.outbox.add_ahead(100)
    assert not reads.flow.congested
    first.outbox.resume()
    assert relieved == [301]
    assert not first.flow.congested
    assert not second.flow.congested
    for reader in (second, reads):
        reader.outbox.cut()
    assert budget.bytes == 0


def test_results_made_ahead_for_a_client_that_reads_do_not_close_it():
    budget = Budget(1000)
    reads, does_not = Reader(budget, "reads"), Reader(budget, "does not")
    reads.outbox.add_ahead(990)
    does_not.leaves(20)
    assert (reads.cut, does_not.cut) == (0, 20)
    reads.outbox.add_ahead(500)
    assert reads.cut == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_many_clients_that_do_not_read_take_limited_memory_and_leave_nothing(connect, monkeypatch, stream):
    """Forty ask for 6 MB each and take nothing; of 240 MB no more than the limit is kept, and one that reads is served.

    They ask for equal things, so that what is made for one that may go on is also an answer of the others.
    """
    monkeypatch.setattr(memory, "TRIM_DELAY_S", 0.01)
    service, most = Crowded(), 24 << 20
    limits = Limits(max_unsent_total_bytes=most)
    async with Server(service, port=0, limits=limits) as server:
        crowd = [await connect(server, slow=True) for _ in range(40)]
        for peer in crowd:
            if stream:
                await peer.send(peer.wire.send_request(1, "stream", []))
            else:
                await peer.send(b"".join(peer.wire.send_request(i, f"part {i}", []) for i in range(6)))
        sizes = [0]

        async def watch() -> None:
            while True:
                sizes.append(server.unsent_bytes)
                await asyncio.sleep(0.001)

        watching = asyncio.create_task(watch())
        while max(sizes) <= most / 4:
            await asyncio.sleep(0.001)
        reads = await connect(server)
        for i in range(6):
            assert len((await reads.call(i, f"part {i}", [])).result) == 1 << 20
        assert max(sizes) <= most or stream  # what is made ahead counts, and cuts off nobody whose link is not full yet
        while server.unsent_bytes > most:
            await asyncio.sleep(0.001)
        watching.cancel()
        for peer in crowd:
            peer.reset()
        while server.connections > 1 or server.unsent_bytes or not server._trimmer.trims:
            await asyncio.sleep(0.01)
    service.engine.shutdown()


class Crowded:
    """Serves parts of 1 MB, made one at a time, equal ones once; and all six of them in a stream."""

    def __init__(self) -> None:
        self.engine = ThreadPoolExecutor(1)
        self.scheduler = Scheduler(self.engine.submit, lambda job: job.work.run())

    def call(self, method: str, _: object, *, connection: Caller) -> object:
        def start(work: Work) -> asyncio.Future[Packed]:
            return asyncio.wrap_future(self.scheduler.submit(work, connection.flow).future)

        def part(name: str) -> Work:
            return Work("model", name.encode(), lambda: pack(bytes(1 << 20)))

        if method == "stream":
            works = [part(f"part {i}") for i in range(6)]
            options = Options(stream=True)
            return streaming.respond(works, "part", options, start, connection.notify, connection.flow)
        return start(part(method))


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
