"""What the runtime adds to asyncio and msgpack:  pytest tests/benchmarks/test_overhead.py -s

Beside the runtime runs an echo server of thirty lines (echo_server.py). It is asked in turn with the runtime, by the
same bare client, for answers of the same size, so that a machine whose speed drifts slows both: the ratios are what to
quote. The client reads to the expected length and decodes nothing, so what is timed is the servers, the kernel, and a
few microseconds of Python.
"""

from __future__ import annotations

import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
from serving_process import serving

from runtime.registry import BUNDLED

ROUNDS, WARM = 1500, 100
CLIENTS, PIPELINED, SLICES, SLICE_S = 16, 16, 10, 1.0


class Bare:
    """A connection that sends prepared bytes, and reads an answer of known length."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(1 << 20))

    def ask(self, request: bytes) -> bytes:
        """An answer of any length, whole."""
        self.socket.sendall(request)
        unpacker, answer = msgpack.Unpacker(max_buffer_size=1 << 24), b""
        while True:
            answer += self.socket.recv(1 << 20)
            unpacker.feed(answer)
            for message in unpacker:
                assert message[2] is None, message
                return answer
            unpacker = msgpack.Unpacker(max_buffer_size=1 << 24)

    def seconds(self, request: bytes, length: int) -> float:
        """Of one round trip whose answer has so many bytes."""
        began = time.perf_counter()
        self.socket.sendall(request)
        while length > 0:
            length -= self.socket.recv_into(self._buffer)
        assert length == 0
        return time.perf_counter() - began


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Of an echo server and of a runtime, each a process of its own."""
    echo = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("echo_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert echo.stdout is not None
    with serving(BUNDLED, "--threads", 1, "--quiet") as runtime:
        yield int(echo.stdout.readline()), runtime.port
    echo.communicate(timeout=20)


def chunk(msgid: int, size: int, x: int = 0) -> bytes:
    return msgpack.packb([0, msgid, "terrain.chunk", [{"seed": 7, "x": x, "y": -256, "size": size}]])


def echo_of(msgid: int, answer: bytes) -> bytes:
    """A request whose answer is as long as another."""
    for less in range(12):
        request = msgpack.packb([0, msgid, "echo", [b".", len(answer) - less]])
        if len(msgpack.packb([1, msgid, None, b"." * (len(answer) - less)])) == len(answer):
            return request
    raise AssertionError(len(answer))


@pytest.mark.parametrize(("what", "size", "most"), [("small result", 4, 1.5), ("256x256 chunk", 256, 1.3)])
def test_a_cached_result_against_an_echo(
    ports: tuple[int, int], capsys: pytest.CaptureFixture[str], what: str, size: int, most: float
) -> None:
    echo, runtime = Bare(ports[0]), Bare(ports[1])
    request = chunk(1, size)
    answer = runtime.ask(request)
    same = echo_of(1, answer)
    times: list[tuple[float, float]] = []
    for i in range(WARM + ROUNDS):
        pair = echo.seconds(same, len(answer)), runtime.seconds(request, len(answer))
        if i >= WARM:
            times.append(pair)
    floor, ours = (statistics.median(column) for column in zip(*times, strict=True))
    pairs = statistics.median(b / a for a, b in times)
    with capsys.disabled():
        print(
            f"\n{what}, cached, {len(answer)} bytes: {1e6 * ours:.0f} us, echo {1e6 * floor:.0f} us: "
            f"{ours / floor:.2f} times (median of pairs {pairs:.2f}; to be at most {most})"
        )


def requests_a_second(port: int, request: bytes, length: int) -> float:
    """Of clients that each keep some requests in flight, for a while."""
    selector = selectors.DefaultSelector()
    for _ in range(CLIENTS):
        link = socket.create_connection(("127.0.0.1", port))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(request * PIPELINED)
        selector.register(link, selectors.EVENT_READ, [0])
    buffer = bytearray(1 << 20)
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < SLICE_S:
        for key, _ in selector.select():
            key.data[0] += key.fileobj.recv_into(buffer)
            answered, key.data[0] = divmod(key.data[0], length)
            if answered:
                done += answered
                key.fileobj.sendall(request * answered)
    seconds = time.perf_counter() - began
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    return done / seconds


def test_cached_requests_a_second(ports: tuple[int, int], capsys: pytest.CaptureFixture[str]) -> None:
    """The msgid is the same for all: each is answered before the next is taken up, so it is free again."""
    request = chunk(1, 4)
    answer = Bare(ports[1]).ask(request)
    same = echo_of(1, answer)
    rates = [
        (requests_a_second(ports[0], same, len(answer)), requests_a_second(ports[1], request, len(answer)))
        for _ in range(SLICES)
    ]
    floor, ours = zip(*rates, strict=True)
    with capsys.disabled():
        print(
            f"\n{CLIENTS} clients, {PIPELINED} requests each in flight, answers of {len(answer)} bytes: "
            f"{statistics.median(ours):.0f} a second ({min(ours):.0f} to {max(ours):.0f}; to be at least 5000), "
            f"echo {statistics.median(floor):.0f} ({min(floor):.0f} to {max(floor):.0f})"
        )
