"""Every file of tests/attacks/ against one `pcg serve`, which must do what the file expects, and go on."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgpack
import pytest
from bare_peer import BarePeer
from serving_process import Process, serving

from runtime.errors import Code
from runtime.registry import BUNDLED
from runtime.wire.protocol import Framing, Notification, Response

ATTACKS = sorted((Path(__file__).parents[2] / "attacks").glob("*.hex"))
PATIENCE_S = 5  # of the server, for a handshake
MORE_BYTES = 160 << 20  # of memory than before all attacks: two of the largest messages, read, decoded and freed late
SLOW = (pytest.mark.slow,)
SLOW_STEMS = {
    *("bomb_row", "ws_empty", "ws_fragments_too_long", "ws_plain_messages", "ws_prefixed", "ws_text"),
    *("ws_text_not_utf8", "ws_two_messages"),
}
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Attack(NamedTuple):
    """What a file says."""

    expected: str
    over: str
    pieces: list[tuple[bytes, int]]  # and how often each is sent


def load(path: Path) -> Attack:
    lines = path.read_text().splitlines()
    [expected] = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
    over = [line.removeprefix("# over: ") for line in lines if line.startswith("# over: ")]
    pieces: list[tuple[bytes, int]] = []
    for line in lines:
        if not line.startswith("#"):
            text, _, many = line.partition(" x")
            data, times = bytes.fromhex(text), int(many or 1)
            if pieces and pieces[-1][1] == times == 1:  # what is written in a row is sent at once
                data = pieces.pop()[0] + data
            pieces.append((data, times))
    return Attack(expected, over[0] if over else "", pieces)


class Target(NamedTuple):
    """A server under attack."""

    process: Process
    ports: dict[str, int]  # by what a file says it goes over
    log: Path
    before_bytes: int

    @property
    def port(self) -> int:
        return self.ports[""]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    log = tmp_path_factory.mktemp("attacks") / "log"
    flags = ("--threads", 1, "--workers", 1, "--websocket-port", 0, "--metrics-port", 0)
    with serving(BUNDLED, *flags, log=log, PCG_SERVE_LIMITS_HANDSHAKE_TIMEOUT_S=str(PATIENCE_S)) as process:
        websocket, metrics = (int(re.search(r":(\d+)(/|$)", process.line())[1]) for _ in range(2))
        ports = {"": process.port, "websocket": websocket, "websocket port": websocket, "metrics port": metrics}
        asyncio.run(warm_up(process.port))
        yield Target(process, ports, log, process.peak_bytes())


async def warm_up(port: int) -> None:
    """What the models take is not what an attack does."""
    peer = BarePeer(*await asyncio.open_connection("127.0.0.1", port), Framing.STREAM)
    response = await peer.call(1, "terrain.chunk", [{"seed": 1, "size": 512}])
    assert response.error is None
    peer.writer.close()


def codes(words: list[str]) -> list[int]:
    """Of the answers that a file expects, in order."""
    found: list[int] = []
    for word in words:
        found += found[-1:] * (int(word[1:]) - 1) if word.startswith("x") else [int(word)]
    return found


async def serves(peer: BarePeer) -> bool:
    response = await peer.call(2, "server.hello", [])
    return isinstance(response, Response) and response.msgid == 2 and response.error is None


async def send_all(peer: BarePeer, attack: Attack) -> None:
    with contextlib.suppress(ConnectionError):  # the server may hang up before it has all
        for piece, times in attack.pieces:
            at_once = max(1, (1 << 16) // len(piece))
            for sent in range(0, times, at_once):
                await peer.send(piece * min(at_once, times - sent))


async def upgrade(peer: BarePeer) -> None:
    await peer.send(UPGRADE)
    head = await peer.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")


async def until_closed(peer: BarePeer) -> None:
    with contextlib.suppress(ConnectionError):
        while await peer.reader.read(1 << 16):
            pass


def is_slow(path: Path) -> bool:
    """Whether it is one of many messages, or one that a timeout ends or that a search answers."""
    return "flood" in path.stem or path.stem in SLOW_STEMS


def test_the_attacks_are_there() -> None:
    assert len(ATTACKS) >= 200


@pytest.mark.parametrize("path", [pytest.param(p, marks=SLOW if is_slow(p) else (), id=p.stem) for p in ATTACKS])
async def test_attack(target: Target, path: Path) -> None:
    attack = load(path)
    logged = target.log.stat().st_size
    link = await asyncio.open_connection("127.0.0.1", target.ports[attack.over])
    peer = BarePeer(*link, Framing.PREFIXED if attack.pieces[0][0][0] == 0 else Framing.STREAM)
    if attack.over == "websocket":
        await upgrade(peer)
    sending = asyncio.create_task(send_all(peer, attack))
    match attack.expected.split():
        case ["error", code]:
            notice = await peer.receive()
            assert isinstance(notice, Notification)
            assert (notice.method, notice.params[0]["code"]) == ("error", int(code)), notice
            assert await peer.receive() is None
        case ["response", *words]:
            for code in codes(words):
                response = await peer.receive()
                assert isinstance(response, Response)
                assert (response.msgid, response.error[0] if response.error else 0) == (1, code), response.error
            assert await serves(peer)
        case ["nothing"]:
            await sending
            assert await serves(peer)
        case ["nothing", "then", "end"]:
            await sending
            peer.writer.write_eof()
            assert await peer.receive() is None
        case ["closed"]:
            await until_closed(peer)
        case _:
            pytest.fail(f"{path.name} expects what no test knows: {attack.expected}")
    await sending
    peer.writer.close()
    other = BarePeer(*await asyncio.open_connection("127.0.0.1", target.port), Framing.STREAM)
    assert await serves(other)
    other.writer.close()
    assert target.process.peak_bytes() - target.before_bytes < MORE_BYTES
    new = target.log.read_bytes()[logged:].decode()
    assert not re.search("^(?:ERROR|CRITICAL|Traceback)", new, re.MULTILINE), new


@pytest.mark.slow
async def test_a_flood_whose_answers_nobody_reads(target: Target) -> None:
    """Twenty clients ask for 30,000 large answers each, or as many as are taken from them, and read none."""
    request = msgpack.packb([0, 1, "models.describe", [{"name": "terrain-detail"}]])
    flood = [await asyncio.open_connection("127.0.0.1", target.port, limit=1) for _ in range(20)]
    for _, writer in flood:
        writer.write(request * 30_000)
    other = BarePeer(*await asyncio.open_connection("127.0.0.1", target.port), Framing.STREAM)
    for _ in range(20):
        assert await serves(other)
    assert target.process.peak_bytes() - target.before_bytes < MORE_BYTES
    for _, writer in flood:
        writer.transport.abort()
    assert await serves(other)
    other.writer.close()


@pytest.mark.slow
async def test_a_flood_of_connections(target: Target) -> None:
    """More than there are: those too many are told so, and when some have gone others are served."""
    links = [await asyncio.open_connection("127.0.0.1", target.port) for _ in range(300)]
    peers = [BarePeer(*link, Framing.STREAM) for link in links]
    assert await serves(peers[0])
    notice = await peers[-1].receive()
    assert isinstance(notice, Notification)
    assert notice.params[0]["code"] == Code.OVERLOADED
    for peer in peers[1:]:
        peer.writer.close()
    while True:
        other = BarePeer(*await asyncio.open_connection("127.0.0.1", target.port), Framing.STREAM)
        await other.send(other.wire.send_request(2, "server.hello", []))
        answer = await other.receive()
        other.writer.close()
        if isinstance(answer, Response):
            break
    assert await serves(peers[0])
    peers[0].writer.close()
