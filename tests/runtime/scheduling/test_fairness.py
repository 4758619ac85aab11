"""Who is served how much, by clients that stay, reconnect, do not read, or are many. Work is simulated: no clock."""

from __future__ import annotations

import asyncio
import random
import types
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.calls import Caller
from runtime.scheduling import scheduler as module
from runtime.scheduling.fairness import FairQueue, Shares
from runtime.scheduling.jobs import Call, Flow, Job, Priority, client_of
from runtime.scheduling.scheduler import Scheduler
from runtime.scheduling.work import Work
from runtime.serving.server import Server


class Simulation:
    """A scheduler, and clients that each have one request waiting or running, and ask again when they are answered.

    `used` is the seconds of simulated work that each got, by name.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.used: Counter[str] = Counter()
        self._now = 0.0
        self._tickets: list[Callable[[], None]] = []
        self._calls = 0
        clock = types.SimpleNamespace(perf_counter=lambda: self._now, monotonic=lambda: self._now)
        monkeypatch.setattr(module, "time", clock)
        self.scheduler = Scheduler(self._tickets.append, lambda job: job.work.run())

    def client(
        self, name: str, seconds: float, flow: Flow | None = None, new_flow: Callable[[], Flow] | None = None
    ) -> None:
        """One that stays on `flow`, or takes another for each request."""
        self._calls += 1

        def run() -> None:
            self._now += seconds
            self.used[name] += seconds

        asked = flow or (new_flow or Flow)()
        call = self.scheduler.submit(Work("model", b"%d" % self._calls, run), asked)
        call.future.add_done_callback(lambda _: self.client(name, seconds, flow, new_flow))

    def run(self, count: int) -> None:
        for _ in range(count):
            self._tickets.pop(0)()


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Simulation:
    return Simulation(monkeypatch)


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.5])
def test_a_client_that_stays_gets_its_share_beside_three_that_reconnect(simulation: Simulation, seconds: float) -> None:
    """Whatever its requests take beside theirs, it gets its quarter of the time."""
    simulation.client("stays", seconds, Flow())
    for name in "abc":
        simulation.client(name, 0.1)
    simulation.run(1000)
    for name in "abc":
        assert 0.9 < simulation.used["stays"] / simulation.used[name] < 1.1


def test_reconnecting_does_not_wipe_out_what_was_used(simulation: Simulation) -> None:
    simulation.client("small", 0.001, Flow())
    simulation.client("large, reconnects", 0.5)
    simulation.run(20_000)
    assert 0.9 < simulation.used["small"] / simulation.used["large, reconnects"] < 1.1


def test_many_connections_of_one_address_are_one_client(simulation: Simulation) -> None:
    """And inside it they share alike, whether they stay or not."""
    simulation.client("other", 0.1, Flow("10.0.0.2"))
    for number in range(4):
        simulation.client(f"stays {number}", 0.1, Flow("10.0.0.1"))
        simulation.client(f"reconnects {number}", 0.1, new_flow=lambda: Flow("10.0.0.1"))
    simulation.run(4000)
    used = dict(simulation.used)
    other = used.pop("other")
    assert 0.9 < other / sum(used.values()) < 1.1
    assert max(used.values()) < 1.2 * min(used.values())


def test_clients_that_do_not_read_delay_nobody(simulation: Simulation) -> None:
    """Sixty connections with requests that can't run do not count among those who share."""
    for _ in range(60):
        flow = Flow()
        flow.congested = True
        simulation.client("does not read", 0.1, flow)
    simulation.client("stays", 0.1, Flow())
    simulation.client("reconnects", 0.1)
    simulation.run(500)
    assert simulation.used["does not read"] == 0
    assert 0.9 < simulation.used["stays"] / simulation.used["reconnects"] < 1.1


def test_time_can_not_be_saved_up_by_not_reading(simulation: Simulation) -> None:
    late, address = Flow("10.0.0.1"), "10.0.0.2"
    late.congested = True
    simulation.client("late", 0.1, late)
    simulation.client("reads", 0.1, Flow(address))
    simulation.run(100)
    late.clear()
    simulation.used.clear()
    simulation.run(20)
    assert 0.8 < simulation.used["late"] / simulation.used["reads"] < 1.25


def queued(flow: Flow) -> Call:
    return Call(Job(Work("model", b"", lambda: None)), flow, Priority.NORMAL, None)


def serve(queue: FairQueue, seconds: float) -> Call:
    call = queue.next()
    assert call is not None
    queue.begin(call)
    queue.end(call, seconds)
    return call


def test_inactive_members_are_forgotten() -> None:
    """Ten thousand connections of as many addresses come and go beside two that stay; then all go."""
    queue, staying = FairQueue(), [Flow("10.0.0.1"), Flow("10.0.0.1")]
    most = 0
    chance = random.Random(1)
    for flow in staying:
        queue.add(queued(flow))
    for number in range(10_000):
        queue.add(queued(Flow(f"client {number}" if number % 2 else "10.0.0.1")))
        while len(queue._waiting) > 4:
            call = serve(queue, chance.choice((0.01, 1.0)))
            if call.flow in staying:
                queue.add(queued(call.flow))
        most = max(most, len(queue._clients) + sum(map(len, queue._flows.values())))
    assert most < 100
    while queue.next() is not None:
        serve(queue, 1.0)
    assert (len(queue._clients), queue._flows, queue._waiting) == (0, {}, {})


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0.001, 10.0), st.booleans()), min_size=1, max_size=200))
def test_the_virtual_time_never_goes_back_while_anyone_wants_time(events: list[tuple[int, float, bool]]) -> None:
    shares, inside = Shares[int](), set[int]()
    shares.enter(-1)
    for member, seconds, leaves in events:
        before = shares.now
        if member not in inside:
            shares.enter(member)
            inside.add(member)
        due = shares.first([-1, *inside])
        shares.charge(due, seconds, len(inside) + 1)
        if leaves:
            shares.leave(member)
            inside.discard(member)
        assert shares.now >= before
        assert set(shares) == inside | {-1}


@pytest.mark.parametrize(
    ("address", "client"),
    [
        (("127.0.0.1", 5), "127.0.0.1"),
        (("::1", 5, 0, 0), "::1"),
        (("::ffff:10.1.2.3", 5, 0, 0), "10.1.2.3"),
        (("2001:db8:1:2:aaaa::5", 5, 0, 0), "2001:db8:1:2::"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::"),
        (("a name", 5), "a name"),
        ("", "local"),
        ("/run/pcg.sock", "local"),
        (None, "local"),
    ],
)
def test_which_addresses_are_one_client(address: Any, client: str) -> None:
    assert client_of(address) == client


# Over sockets


class Slow:
    """A service whose work is done one piece at a time, and the pieces that each name got."""

    def __init__(self) -> None:
        self.given: Counter[str] = Counter()
        self.engine = ThreadPoolExecutor(1)
        self.scheduler = Scheduler(self.engine.submit, lambda job: job.work.run())
        self._calls = 0

    def call(self, method: str, _: dict[str, Any], *, connection: Caller) -> object:
        self._calls += 1
        wake = asyncio.get_running_loop().call_soon_threadsafe

        def run() -> str:
            wake(self.given.update, [method])
            for _ in range(200_000):  # holds the thread for some milliseconds, asleep or not
                pass
            return method

        call = self.scheduler.submit(Work("model", b"%d" % self._calls, run), connection.flow)
        return asyncio.wrap_future(call.future)


@pytest.mark.slow
async def test_over_tcp_a_client_that_stays_gets_its_share_beside_three_that_reconnect(connect: Any) -> None:
    slow = Slow()

    async def stays() -> None:
        peer = await connect(server)
        while True:
            await peer.call(1, "stays", [])

    async def reconnects() -> None:
        while True:
            peer = await connect(server)
            await peer.call(1, "reconnects", [])
            peer.writer.close()

    async with Server(slow, port=0) as server:
        clients = [asyncio.create_task(client()) for client in (stays, reconnects, reconnects, reconnects)]
        while slow.given.total() < 200:
            await asyncio.sleep(0.01)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    slow.engine.shutdown()
    each = slow.given["reconnects"] / 3
    assert 0.5 < slow.given["stays"] / each < 2
