"""Memory of a server after a crowd that does not read:  pytest tests/benchmarks/test_memory.py -s

A hundred and twenty clients ask for large chunks and take nothing; then they go. The server's memory is told before,
at its most, and after a settle. The crowd asks for equal chunks, so that few are made and everybody gets them all.
"""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path

import msgpack
import pytest
from serving_process import Process, serving

from runtime.client import Client
from runtime.registry import BUNDLED, SUMS

CLIENTS, CHUNKS, SIZE = 120, 4, 1024  # 2 MB each; as many calls as may wait with the defaults
STEADY_S, SETTLE_S, LONGEST_S = 5.0, 10.0, 200.0
NEARLY_MB = 50  # of what it was before


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the terrain model alone."""
    folder = tmp_path_factory.mktemp("land")
    shutil.copy(BUNDLED / "terrain-detail.ts", folder)
    [line] = [line for line in (BUNDLED / SUMS).read_text().splitlines(True) if "terrain-detail.ts" in line]
    (folder / SUMS).write_text(line)
    return folder


def params(number: int, seed: int) -> dict[str, int]:
    return {"seed": seed, "x": SIZE * number, "size": SIZE}


def asker(port: int) -> socket.socket:
    """A connection that has asked for all chunks, and reads nothing."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    link.connect(("127.0.0.1", port))
    asked = [msgpack.packb([0, number, "terrain.chunk", [params(number, 2)]]) for number in range(CHUNKS)]
    link.sendall(b"".join(asked))
    return link


def megabytes(process: Process) -> float:
    return process.resident_bytes() / (1 << 20)


def until_idle(process: Process, client: Client) -> float:
    """The most megabytes that were seen, until for a while nothing has been left to do and memory has not grown."""
    most, idle_since, began = 0.0, time.monotonic(), time.monotonic()
    while (now := time.monotonic()) < min(idle_since + STEADY_S, began + LONGEST_S):
        if client.call("server.health")["queue_depth"] or megabytes(process) > most + 1:
            idle_since = now
        most = max(most, megabytes(process))
        time.sleep(0.05)
    return most


def test_a_crowd_that_does_not_read(land: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--threads", 1, "--workers", 0, "--cache-mb", 0, "--quiet")
    with serving(land, *flags) as process, Client(port=process.port, timeout_s=200) as client:
        for number in range(2 * CHUNKS):  # what the engine and its caches take is not what the crowd does
            client.call("terrain.chunk", **params(number, 1))
        until_idle(process, client)
        before = megabytes(process)
        crowd = [asker(process.port) for _ in range(CLIENTS)]
        while not client.call("server.health")["queue_depth"]:
            time.sleep(0.01)
        most = until_idle(process, client)
        for link in crowd:
            link.close()
        time.sleep(SETTLE_S)
        after = megabytes(process)
        assert client.call("terrain.chunk", **params(0, 3))["size"] == SIZE
    with capsys.disabled():
        print(f"\n{CLIENTS} clients that do not read: {before:.0f} MB before, {most:.0f} at most, {after:.0f} after")
    assert after < before + NEARLY_MB
