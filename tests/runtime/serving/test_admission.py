"""Places: who gets one, and who goes when there are too many."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
from dataclasses import dataclass, field

import pytest
import trustme

from runtime.client import AsyncClient
from runtime.errors import Code
from runtime.serving import admission
from runtime.serving.access import Tokens
from runtime.serving.admission import MAX_LEAVING, Admission
from runtime.serving.limits import Limits
from runtime.serving.server import Server
from runtime.wire.protocol import Connection, Framing, Response

TOKEN = "0123456789abcdef"


@dataclass(eq=False)
class Guest:
    """An arrival that only notes what is done to it."""

    address: str = "203.0.113.1"
    unauthorised: bool = True
    local: bool = False
    since: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    told: str = ""
    aborted: bool = False

    def turn_away(self, code: Code, message: str) -> None:
        assert code is Code.OVERLOADED
        self.told = message

    def abort(self) -> None:
        self.aborted = True


def admit(places: Admission, *guests: Guest) -> None:
    for guest in guests:
        places.admit(guest)


async def test_authorised_connections_are_never_closed_to_make_room() -> None:
    places = Admission(Limits(max_connections=3))
    known = [Guest(unauthorised=False) for _ in range(3)]
    newcomer = Guest()
    admit(places, *known, newcomer)
    assert "3 connections" in newcomer.told
    assert list(places.admitted) == known


async def test_a_new_connection_replaces_the_oldest_unauthorised_one_of_the_busiest_address() -> None:
    places = Admission(Limits(max_connections=4))
    honest, *crowd = Guest("192.0.2.7"), Guest(), Guest()
    known, newcomer = Guest(unauthorised=False), Guest("198.51.100.9", unauthorised=False)
    admit(places, honest, *crowd, known, newcomer)
    assert [bool(guest.told) for guest in (honest, *crowd, known, newcomer)] == [False, True, False, False, False]
    assert newcomer in places.admitted


async def test_unauthorised_connections_are_limited_after_their_grace_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "GRACE_S", 0.05)
    places = Admission(Limits(max_connections=20, max_unauthorised=5, max_unauthorised_per_address=None))
    crowd = [Guest(f"192.0.2.{number}") for number in range(12)]
    admit(places, *crowd)
    assert list(places.admitted) == crowd  # a crowd of honest clients needs a moment for its tokens
    for guest in crowd[6:8]:
        guest.unauthorised = False
    while len(places.admitted) > 7:
        await asyncio.sleep(0.01)
    assert list(places.admitted) == crowd[5:]


async def test_one_address_has_a_limit_of_its_own_and_this_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "GRACE_S", 0.05)
    places = Admission(Limits(max_unauthorised_per_address=2))
    local = [Guest("127.0.0.1", local=True) for _ in range(6)]
    other, known = Guest("192.0.2.7"), [Guest(unauthorised=False) for _ in range(6)]
    crowd = [Guest() for _ in range(5)]
    admit(places, *local, other, *known, *crowd)
    while len(places.admitted) > 15:
        await asyncio.sleep(0.01)
    assert [guest for guest in (*local, other, *known, *crowd) if guest.told] == crowd[:3]


async def test_connections_that_leave_are_limited_too() -> None:
    places = Admission(Limits(max_connections=1))
    refused = [Guest() for _ in range(MAX_LEAVING + 3)]
    admit(places, Guest(unauthorised=False), *refused)
    assert all(guest.told for guest in refused)
    assert [guest for guest in refused if guest.aborted] == refused[:3]
    places.forget(refused[-1])
    assert len(places.leaving) == MAX_LEAVING - 1


async def test_places_are_no_more_than_the_descriptors(caplog: pytest.LogCaptureFixture) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    places = Admission(Limits(max_connections=5000))
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
    try:
        with caplog.at_level(logging.WARNING):
            places.fit_to_descriptors()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert 500 < places.most < 1000 - MAX_LEAVING
    assert "max_connections is 5000" in caplog.text


# At a server


async def test_silent_connections_without_a_token_keep_nobody_out(service, connect) -> None:
    limits = Limits(max_connections=8)
    async with Server(service, port=0, websocket_port=0, tokens=Tokens([TOKEN]), limits=limits) as server:
        silent = [await connect(server) for _ in range(20)]
        silent += [await asyncio.open_connection("127.0.0.1", server.websocket_port) for _ in range(20)]
        known = []
        for _ in range(8):
            known.append(await connect(server))
            assert (await known[-1].call(1, "server.hello", [{"token": TOKEN}])).error is None
        late = await connect(server)
        assert (await late.receive()).params[0]["code"] == Code.OVERLOADED
        for peer in known:
            assert await peer.still_served()
        told = await silent[0].receive()
        assert told is None or told.params[0]["code"] == Code.OVERLOADED
        for _, writer in silent[20:]:
            writer.close()


async def test_handshakes_count_as_connections(service) -> None:
    async with Server(service, port=0, websocket_port=0, limits=Limits(max_connections=3)) as server:
        opened = [await asyncio.open_connection("127.0.0.1", server.websocket_port) for _ in range(10)]
        while server.counts.connections < 10:
            await asyncio.sleep(0)
        assert server.connections == 3
        for _, writer in opened:
            writer.close()


async def test_hundreds_of_clients_of_one_address_come_at_once(service, connect) -> None:
    """Each needs a moment to give its token, and none is taken for an attacker."""
    limits = Limits(max_connections=200)
    async with Server(service, port=0, tokens=Tokens([TOKEN]), limits=limits) as server:
        peers = await asyncio.gather(*(connect(server) for _ in range(200)))
        answers = await asyncio.gather(*(peer.call(1, "server.hello", [{"token": TOKEN}]) for peer in peers))
        assert answers == [Response(1, None, {"protocol": 1})] * 200
        for peer in peers:
            peer.writer.close()


async def test_silent_tls_connections_keep_nobody_out(service) -> None:
    authority = trustme.CA()
    tls, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(trusting)
    async with Server(service, port=0, tls=tls, limits=Limits(max_connections=2)) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(MAX_LEAVING + 20)]
        while server.counts.connections < len(silent):
            await asyncio.sleep(0)
        async with await AsyncClient.connect(port=server.port, tls=trusting) as client:
            assert await client.call("echo", x=1) == {"x": 1}
            assert server.connections == 2
            while len(server._arrivals) > 2 + MAX_LEAVING:
                await asyncio.sleep(0.01)
        for _, writer in silent:
            writer.close()


async def test_connections_that_wait_to_be_accepted_get_a_response_when_the_server_closes(service) -> None:
    """More than there are places: those that find none are cut off, and none is waited for."""
    async with Server(service, port=0, limits=Limits(max_connections=3)) as server:
        waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3 * MAX_LEAVING)]
        request = Connection(Framing.STREAM).send_request(1, "echo", [])
        for link in waiting:
            link.sendall(request)
        await asyncio.wait_for(server.close(grace_s=0), 60)
        for link in waiting[:3]:
            [response] = Connection(Framing.STREAM).receive_data(link.recv(1000))[:1]
            assert response.error[0] == Code.SHUTTING_DOWN
        for link in waiting:
            link.close()
