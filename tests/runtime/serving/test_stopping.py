"""A server that is told to stop under load: every client hears it, and no connection is reset."""

from __future__ import annotations

import asyncio
import itertools
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgpack
import pytest
import trustme
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import ConnectionClosed

from runtime.errors import Code

SCRIPT = Path(__file__).parents[2] / "support" / "busy_server.py"


class Talker:
    """A client that asks until its connection ends, and keeps account of what became of each request."""

    def __init__(self) -> None:
        self.asked: set[int] = set()
        self.answered: dict[int, int] = {}  # error code, 0 for a result
        self.noticed = False  # the server's last word was that it shuts down
        self.ended = ""
        self._msgids = itertools.count()
        self._unpacker = msgpack.Unpacker()

    def request(self, method: str) -> bytes:
        msgid = next(self._msgids)
        self.asked.add(msgid)
        return msgpack.packb([0, msgid, method, []])

    def take(self, data: bytes) -> int:
        """How many responses came."""
        self._unpacker.feed(data)
        count = 0
        for message in self._unpacker:
            if message[0] == 1:
                self.answered[message[1]] = message[2][0] if message[2] else 0
                count += 1
            else:
                self.noticed |= message[2][0]["code"] == Code.SHUTTING_DOWN
        return count

    @property
    def told(self) -> bool:
        return self.noticed or Code.SHUTTING_DOWN in self.answered.values()

    async def talk(
        self, port: int, method: str, at_once: int, pause_s: float, tls: ssl.SSLContext | None = None
    ) -> None:
        """Keep `at_once` requests going."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(b"".join(self.request(method) for _ in range(at_once)))
        try:
            while data := await reader.read(1 << 16):
                count = self.take(data)
                await asyncio.sleep(pause_s)
                writer.write(b"".join(self.request(method) for _ in range(count)))
            self.ended = "in order"
        except ConnectionError as error:
            self.ended = repr(error)
        writer.close()

    async def talk_over_websocket(self, port: int, method: str, at_once: int) -> None:
        async with websocket_connect(f"ws://127.0.0.1:{port}", compression=None) as connection:
            try:
                for _ in range(at_once):
                    await connection.send(self.request(method))
                while True:
                    for _ in range(self.take(await connection.recv())):
                        with suppress(ConnectionClosed):  # what came before is still to be read
                            await connection.send(self.request(method))
            except ConnectionClosed as error:
                self.ended = "in order" if error.rcvd is not None and error.rcvd.code == 1000 else repr(error)


@asynccontextmanager
async def busy_server(*arguments: object) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, int]]:
    """The process, and its TCP and WebSocket ports."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        port, websocket_port = map(int, (await process.stdout.readline()).split())
        yield process, port, websocket_port
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def stop(
    process: asyncio.subprocess.Process, talkers: list[Talker], talks: list[Coroutine[Any, Any, None]]
) -> None:
    """Tell the server to stop once all have asked, and see to it that all are told."""
    talking = asyncio.gather(*talks)
    while not all(talker.asked for talker in talkers) or sum(len(talker.answered) for talker in talkers) < 20:
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(talking, 60)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert [talker.ended for talker in talkers] == ["in order"] * len(talkers)
    assert all(talker.told for talker in talkers)
    for talker in talkers:
        assert set(talker.answered.values()) <= {0, Code.SHUTTING_DOWN}
        assert talker.noticed or talker.asked == set(talker.answered)


@pytest.mark.parametrize("grace_s", [0.0, 0.5])
async def test_thirty_busy_clients_get_shutting_down_and_none_is_reset(grace_s: float) -> None:
    async with busy_server(grace_s) as (process, port, websocket_port):
        talkers = [Talker() for _ in range(30)]
        talks = [talker.talk(port, "work", 1, 0) for talker in talkers[:8]]  # one in flight, asked again at once
        talks += [talker.talk(port, "work", 100, 0) for talker in talkers[8:16]]  # most wait, some are not even read
        talks += [talker.talk(port, "quick", 1, 0.002) for talker in talkers[16:24]]  # always just sent
        talks += [talker.talk_over_websocket(websocket_port, "work", 3) for talker in talkers[24:]]
        await stop(process, talkers, talks)


async def test_busy_clients_over_tls_get_shutting_down_too(tmp_path: Path) -> None:
    authority, trusting = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusting)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    async with busy_server(0.2, certificate, key) as (process, port, _):
        talkers = [Talker() for _ in range(10)]
        talks = [talker.talk(port, "work", 3, 0, trusting) for talker in talkers[:5]]
        talks += [talker.talk(port, "quick", 1, 0.002, trusting) for talker in talkers[5:]]
        await stop(process, talkers, talks)
