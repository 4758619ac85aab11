"""WebSocket frame by frame: messages in parts, frames that trickle, pings, handshakes that are refused."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import InvalidStatus

from runtime.errors import Code
from runtime.serving.access import Origins
from runtime.serving.connection import websocket
from runtime.serving.limits import Limits
from runtime.serving.server import Server
from runtime.wire.protocol import Connection, Framing, Response

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
)
ECHO = Connection(Framing.FRAMES).send_request(1, "echo", [{"text": "x" * 300}])


def frame(opcode: int, data: bytes = b"", *, last: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
    return bytes([opcode | (0x80 if last else 0)]) + length + bytes(4) + data


class Raw:
    """A WebSocket client that sends any bytes, and answers no ping."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def frame(self) -> tuple[int, bytes]:
        """Opcode and content of the next frame of the server."""
        head = await self.reader.readexactly(2)
        length = head[1]
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2), "big")
        return head[0] & 15, await self.reader.readexactly(length)

    async def message(self) -> object:
        opcode, data = await self.frame()
        assert opcode == BINARY
        [event] = Connection(Framing.FRAMES).receive_data(data)
        return event

    async def is_cut_off(self, code: Code, words: str) -> bool:
        notice = (await self.message()).params[0]
        assert notice["code"] == code
        assert words in notice["message"]
        assert (await self.frame())[0] == CLOSE
        self.writer.write(frame(CLOSE, b"\x03\xe8"))
        return await self.reader.read() == b""


@asynccontextmanager
async def raw(server: Server, *, upgrade: bytes = UPGRADE + b"\r\n"):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.websocket_port)
    writer.write(upgrade)
    with contextlib.suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()


@pytest.fixture
async def hasty(service):
    """A server that waits a tenth of a second for a message."""
    async with Server(service, port=0, websocket_port=0, limits=Limits(message_timeout_s=0.1)) as server:
        yield server


async def test_a_message_in_parts_with_a_ping_between(hasty):
    async with raw(hasty) as peer:
        parts = [ECHO[:7], b"", ECHO[7:100], ECHO[100:]]
        for number, part in enumerate(parts):
            peer.writer.write(frame(CONT if number else BINARY, part, last=number == 3) + frame(PING, b"?"))
        peer.writer.write(frame(BINARY, ECHO))
        got = [await peer.frame() for _ in range(6)]
        assert [data for opcode, data in got if opcode == PONG] == [b"?"] * 4
        assert [opcode for opcode, _ in got].count(BINARY) == 2


async def test_a_message_in_parts_that_never_ends(hasty):
    async with raw(hasty) as peer, raw(hasty) as other:
        peer.writer.write(frame(BINARY, ECHO[:100], last=False))
        assert await peer.is_cut_off(Code.DEADLINE_EXCEEDED, "longer than 0.1 s")
        other.writer.write(frame(BINARY, ECHO))
        assert await other.message() == Response(1, None, {"text": "x" * 300})


async def test_parts_and_pings_do_not_put_the_end_off(hasty):
    async with raw(hasty) as peer:
        cut = asyncio.create_task(peer.message())
        peer.writer.write(frame(BINARY, b"\x94", last=False))
        while not cut.done():
            peer.writer.write(frame(CONT, b"\x00", last=False))
            await asyncio.sleep(0.01)
        assert (await cut).params[0]["code"] == Code.DEADLINE_EXCEEDED


async def test_a_frame_that_trickles(hasty):
    async with raw(hasty) as peer:
        cut = asyncio.create_task(peer.message())
        for byte in frame(BINARY, ECHO):
            peer.writer.write(bytes([byte]))
            if cut.done():
                break
            await asyncio.sleep(0.01)
        assert (await cut).params[0]["code"] == Code.DEADLINE_EXCEEDED
        assert (await peer.frame())[0] == CLOSE


async def test_whole_messages_may_be_far_apart(hasty):
    async with raw(hasty) as peer:
        for _ in range(2):
            await asyncio.sleep(0.15)
            peer.writer.write(frame(BINARY, ECHO))
            assert isinstance(await peer.message(), Response)


async def test_a_message_that_the_server_has_no_room_for_is_not_late(service):
    limits = Limits(message_timeout_s=0.05, max_in_flight=1)
    async with Server(service, port=0, websocket_port=0, limits=limits) as server, raw(server) as peer:
        wait = [Connection(Framing.FRAMES).send_request(i, "wait", [{"name": i}]) for i in range(3)]
        peer.writer.write(b"".join(frame(BINARY, message) for message in wait) + frame(BINARY, ECHO)[:50])
        await service.until(service.started, 1)
        await asyncio.sleep(0.15)
        service.gate.set()
        assert [(await peer.message()).msgid for _ in range(3)] == [0, 1, 2]
        peer.writer.write(frame(BINARY, ECHO)[50:])
        assert (await peer.message()).msgid == 1


# Pings


async def test_a_client_without_pongs_is_disconnected_and_one_with_pongs_is_not(service, monkeypatch):
    monkeypatch.setattr(websocket, "PING_S", 0.05)
    monkeypatch.setattr(websocket, "PONG_S", 0.05)
    async with (
        Server(service, port=0, websocket_port=0) as server,
        raw(server) as dead,
        websocket_connect(f"ws://127.0.0.1:{server.websocket_port}", ping_interval=None) as alive,
    ):
        assert (await dead.frame())[0] == PING
        assert await dead.is_cut_off(Code.DEADLINE_EXCEEDED, "no pong")
        await asyncio.sleep(0.3)
        await alive.send(ECHO)
        assert b"xxx" in await alive.recv()


async def test_a_client_that_only_pings_and_never_reads_is_not_read(service):
    async with Server(service, port=0, websocket_port=0) as server, raw(server) as peer:
        pings = frame(PING, bytes(125)) * 500
        while not server._peers:
            await asyncio.sleep(0)
        [link] = [served._link for served in server._peers]
        while link._writing:
            peer.writer.write(pings)
            await asyncio.sleep(0)
        for _ in range(200):
            peer.writer.write(pings)
            await asyncio.sleep(0)
        assert link._transport.get_write_buffer_size() < 1 << 20
        peer.writer.transport.abort()


# Handshakes


@pytest.mark.parametrize(
    "upgrade",
    [
        UPGRADE + b"Origin: https://evil.example\r\n\r\n",
        UPGRADE + b"Origin: https://a.example\r\nOrigin: https://b.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01 no HTTP\r\n\r\n",
        UPGRADE + b"\r\n" + frame(CLOSE) + frame(BINARY, ECHO),
        UPGRADE + b"\r\n" + frame(TEXT, b"no") + frame(CONT, b"no"),
    ],
)
async def test_a_refused_handshake_that_goes_on_sending(service, caplog, upgrade):
    async with Server(service, port=0, websocket_port=0) as server:
        async with raw(server, upgrade=upgrade) as refused:
            for _ in range(20):
                refused.writer.write(upgrade + frame(BINARY, ECHO))
                await asyncio.sleep(0)
            with contextlib.suppress(ConnectionError):
                await refused.reader.read()
        async with raw(server) as peer:
            peer.writer.write(frame(BINARY, ECHO))
            assert isinstance(await peer.message(), Response)
    assert [record.message for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []


async def test_a_handshake_that_takes_too_long(service):
    limits = Limits(handshake_timeout_s=0.05)
    async with Server(service, port=0, websocket_port=0, limits=limits) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.websocket_port)
        writer.write(UPGRADE)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_a_server_that_closes_does_not_wait_for_handshakes(service):
    async with Server(service, port=0, websocket_port=0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.websocket_port)
        writer.write(UPGRADE)
        while not server.connections:
            await asyncio.sleep(0)
        await asyncio.wait_for(server.close(grace_s=60), 30)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_a_page_that_is_refused_is_told_what_lets_it_in(service, caplog):
    caplog.set_level("INFO")
    async with Server(service, port=0, websocket_port=0) as server:
        for origin, words in (("https://game.example", "--origin https://game.example"), ("null", "opened as a file")):
            with pytest.raises(InvalidStatus) as refused:
                await websocket_connect(f"ws://127.0.0.1:{server.websocket_port}", origin=origin)
            assert refused.value.response.status_code == 403
            assert words in refused.value.response.body.decode()
            assert words in caplog.text


async def test_a_page_of_this_machine_is_let_in(service):
    async with Server(service, port=0, websocket_port=0) as server:
        for host in ("localhost", "127.0.0.1"):
            address = f"ws://127.0.0.1:{server.websocket_port}"
            async with websocket_connect(address, origin=f"http://{host}:8000") as connection:
                await connection.send(ECHO)
                assert b"xxx" in await connection.recv()


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "0.0.0.0", True),
        ("http://localhost", "127.0.0.1", True),
        ("http://localhost:8000", "localhost", True),
        ("https://127.0.0.1:8000", "::1", True),
        ("http://127.1.2.3", "127.0.0.1", True),
        ("http://[::1]:8000", "127.0.0.1", True),
        ("http://localhost:8000", "0.0.0.0", False),
        ("http://localhost:8000", "192.0.2.1", False),
        ("http://localhost.evil.example", "127.0.0.1", False),
        ("http://127.0.0.1.evil.example", "127.0.0.1", False),
        ("http://evil.example", "127.0.0.1", False),
        ("http://localhost@evil.example", "127.0.0.1", False),
        ("http://user@localhost", "127.0.0.1", False),
        ("http://192.0.2.1:8000", "127.0.0.1", False),
        ("http://0.0.0.0:8000", "127.0.0.1", False),
        ("file://localhost", "127.0.0.1", False),
        ("null", "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ],
)
def test_origins(origin, host, allowed):
    assert Origins([], host).allow(origin) is allowed
    assert Origins(["https://game.example", "null"], host).allow(origin) is (origin in (None, "null"))
    assert Origins(["*"], host).allow(origin)
