"""What goes wrong around the runtime: clients that vanish or dawdle, disks that fill, files that rot, a signal to go.

Clients that vanish in the middle of a message are in test_peer.py, single slow readers and writers in test_limits.py, a
process killed while it writes its cache in test_cache.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import re
import resource
import shutil
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from crowd import Asks, Guest, Tally
from model_files import card, write_model
from serving_process import Process, serving

from runtime import card as cards
from runtime.client import Client
from runtime.engine import Engine
from runtime.errors import Code
from runtime.registry import BUNDLED, SUMS, Registry
from runtime.service import Service
from runtime.serving.limits import Limits
from runtime.serving.server import Server
from runtime.wire.protocol import Connection, Framing, Notification, Response


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the terrain model alone, so that a server is up soon."""
    folder = tmp_path_factory.mktemp("land")
    shutil.copy(BUNDLED / "terrain-detail.ts", folder)
    [line] = [line for line in (BUNDLED / SUMS).read_text().splitlines(True) if "terrain-detail.ts" in line]
    (folder / SUMS).write_text(line)
    return folder


# Clients


@pytest.mark.parametrize("abrupt", [False, True])
async def test_clients_gone_in_the_middle_of_a_response(service, connect, abrupt, caplog):
    """Each has taken the first bytes of 8 MB, and more of them wait; what they leave behind goes with them."""
    caplog.set_level(logging.INFO)
    async with Server(service, port=0, limits=Limits(max_unsent_bytes=1 << 20)) as server:
        stayer = await connect(server)
        assert await stayer.still_served()
        for _ in range(8):
            leaver = await connect(server, slow=True)
            asked = [leaver.wire.send_request(i, "array", [{"count": 1 << 22}]) for i in range(3)]
            await leaver.send(b"".join(asked) + leaver.wait_request(9))
            assert len(await leaver.reader.readexactly(1000)) == 1000
            leaver.reset() if abrupt else leaver.writer.close()
        assert await stayer.still_served()
        while server.connections > 1:
            await asyncio.sleep(0.01)
        assert len(service.cancelled) == len(service.started)
        assert await stayer.still_served()
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.slow
async def test_a_hundred_slow_writers_hold_up_nobody(service, connect):
    """A byte in a while from each, of a message that never gets whole; then each is told why it is cut off."""
    async with Server(service, port=0, limits=Limits(message_timeout_s=1.0)) as server:
        good = await connect(server)
        slow = [await connect(server) for _ in range(100)]
        message = slow[0].wire.send_request(1, "echo", [{"text": "x" * 1000}])
        for byte in message[:8]:
            for peer in slow:
                peer.writer.write(bytes([byte]))
            assert await good.still_served()
        for peer in slow:
            notice = await peer.receive()
            assert isinstance(notice, Notification)
            assert notice.params[0]["code"] == Code.DEADLINE_EXCEEDED
        assert await good.still_served()


# The disk under the cache


def result_files(folder: Path, count: int) -> list[Path]:
    """The files of so many kept results, once they are written."""
    while len(found := sorted(folder.rglob("*.result"))) < count:
        time.sleep(0.01)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="a process's limits can't be changed from outside here")
def test_a_disk_that_fills_and_files_that_rot(land: Path, tmp_path: Path) -> None:
    """The answers are the same all the while; what could not be kept is said once, and kept when there is room."""

    def ask(x: int) -> bytes:
        made: bytes = client.call("terrain.chunk", seed=5, x=x, size=32)["height"].tobytes()
        return made

    flags = ("--workers", 0, "--cache-dir", tmp_path, "--cache-mb", 0)
    with serving(land, *flags) as server, Client(port=server.port) as client:
        first = ask(0)
        [path] = result_files(tmp_path, 1)
        pid, (_, most) = server.process.pid, resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, most))  # a file that grows further fails, as on a full disk
        full = [ask(x) for x in (1000, 2000, 1000, 2000, 0)]
        assert full == [*full[:2], *full[:2], first]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
        assert result_files(tmp_path, 1) == [path]
        assert [ask(x) for x in (1000, 2000)] == full[:2]
        kept = result_files(tmp_path, 3)
        assert not list(tmp_path.rglob("*.part"))
        kept[0].write_bytes(kept[0].read_bytes()[:-1])
        kept[1].write_bytes(b"")
        kept[2].unlink()
        kept[2].mkdir()
        assert [ask(x) for x in (0, 1000, 2000)] == [first, *full[:2]]
        result_files(tmp_path, 3)
        code, log = server.stop()
    assert code == 0
    assert log.count("is not kept in") == 1
    assert log.count("is damaged; deleted, and made again") == 2
    assert "can't be read: [Errno 21] Is a directory" in log or log.count("WARNING") == 3
    assert "ERROR" not in log
    assert "Traceback" not in log


# Model files


def put(folder: Path, version: str) -> None:
    """The Doubler as a version, in the place of doubler.ts."""
    shutil.rmtree(folder / "new", ignore_errors=True)
    (folder / "new").mkdir()
    made = write_model(folder / "new", card_bytes=cards.encode(card(version=version)))
    made.replace(folder / "doubler.ts")
    (folder / "new" / SUMS).replace(folder / SUMS)


def test_a_model_replaced_while_its_successor_is_loaded(tmp_path: Path) -> None:
    """What was hashed is what is loaded, whatever has become of the file since; the next look finds the newest."""
    put(tmp_path, "1")
    engine = Engine("cpu", 1)
    service = Service(Registry(tmp_path), engine)
    service.warm_up()
    entered, gate = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        gate.wait(60)

    try:
        put(tmp_path, "2")
        engine.submit(hold)
        assert entered.wait(60)
        reloading = threading.Thread(target=service.reload)  # it waits for the engine, with version 2 in its hands
        reloading.start()
        time.sleep(0.2)
        put(tmp_path, "3")
        gate.set()
        reloading.join(60)
        assert service.registry.find("doubler").card.version == "2"
        assert service.ready
        assert service.reload()
        assert service.registry.find("doubler").card.version == "3"
        assert service.ready
        assert not service.registry.refused
    finally:
        gate.set()
        service.close()


def test_a_model_file_that_is_written_over_bit_by_bit(tmp_path: Path) -> None:
    """A file copied in place instead of renamed: the old model serves until the new file is whole."""
    put(tmp_path, "1")
    registry = Registry(tmp_path)
    new = tmp_path / "elsewhere"
    new.mkdir()
    data = write_model(new, card_bytes=cards.encode(card(version="2"))).read_bytes()
    with (tmp_path / "doubler.ts").open("wb") as file:
        for start in range(0, len(data), 1 + len(data) // 5):
            file.write(data[start : start + 1 + len(data) // 5])
            file.flush()
            registry.reload()
            assert registry.find("doubler").card.version == "1"
            assert "damaged, or not the file it was" in registry.refused["doubler"]
    shutil.copy(new / SUMS, tmp_path / SUMS)
    assert registry.reload()
    assert registry.find("doubler").card.version == "2"
    assert not registry.refused


# A signal to go


class Asker(threading.Thread):
    """Sends many requests at once, and reads until the server hangs up."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__()
        self.answers: list[Any] = []
        self.number, self.wire = number, Connection(Framing.STREAM)
        self._changed = threading.Condition()
        self._link = socket.create_connection(("127.0.0.1", port))
        self._link.settimeout(120)

    def ask(self, msgids: range) -> None:
        """For chunks; everyone for other places, so that nothing is kept or shared."""
        requests = []
        for msgid in msgids:
            params: dict[str, Any] = {"seed": 3, "x": 32 * msgid, "y": 4096 * self.number, "size": 32}
            requests.append(self.wire.send_request(msgid, "terrain.chunk", [params]))
        self.send(requests)

    def send(self, requests: list[bytes]) -> None:
        with contextlib.suppress(ConnectionError):  # the server may have gone already
            self._link.sendall(b"".join(requests))

    def heard(self, count: int) -> bool:
        """Whether so many answers have come, before patience ends."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.answers) >= count, 200)

    def told_of_the_end(self) -> bool:
        """Take the server's last words off what came; whether they were that it shuts down, after responses only."""
        last = self.answers.pop()
        assert all(isinstance(answer, Response) for answer in self.answers)
        return isinstance(last, Notification) and last.params[0]["code"] == Code.SHUTTING_DOWN

    def run(self) -> None:
        while data := self._link.recv(1 << 16):
            with self._changed:
                self.answers += self.wire.receive_data(data)
                self._changed.notify_all()
        self._link.close()


@pytest.mark.slow
def test_sigterm_under_load_answers_or_refuses_every_request(land: Path) -> None:
    """Each client has asked for four times as much as may be in flight. Nobody is reset, and the exit is 0."""
    with serving(land, "--workers", 0, "--drain-s", 60) as server:
        askers = [Asker(server.port, i) for i in range(6)]
        for asker in askers:
            asker.ask(range(256))
            asker.start()
        for asker in askers:
            assert asker.heard(1)
        server.process.send_signal(signal.SIGTERM)
        for asker in askers:
            asker.ask(range(1000, 1010))
        for asker in askers:
            asker.join(120)
        _, log = server.process.communicate(timeout=60)
        assert server.process.returncode == 0, log
    assert not re.search("ERROR|Traceback", log), log
    for asker in askers:
        assert asker.told_of_the_end()
        answered = [answer.msgid for answer in asker.answers]
        assert sorted(answered) == sorted(set(answered))
        assert set(range(256)) <= set(answered)
        assert all(answer.error is None or answer.error[0] == Code.SHUTTING_DOWN for answer in asker.answers)
        assert any(answer.error is None for answer in asker.answers)


@pytest.mark.slow
def test_a_drain_has_an_end(land: Path) -> None:
    """What is not done within the time is refused by number."""
    with serving(land, "--workers", 0, "--drain-s", 0) as server:
        asker = Asker(server.port, 0)
        asker.ask(range(60))
        asker.start()
        assert asker.heard(1)
        code, _ = server.stop()
        asker.join(60)
    assert code == 0
    assert asker.told_of_the_end()
    assert sorted(answer.msgid for answer in asker.answers) == list(range(60))
    assert {answer.error[0] for answer in asker.answers if answer.error} <= {Code.SHUTTING_DOWN}


# Workers


def worker_processes(server: Process) -> list[psutil.Process]:
    children = psutil.Process(server.process.pid).children()
    found = []
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):  # killed a moment ago
            if "multiprocessing.spawn" in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.mark.slow
def test_workers_killed_under_load(land: Path) -> None:
    """What they worked on is done again, or answered by number; nobody else notices."""

    def levels(asker: Asker, count: int) -> list[bytes]:
        found = []
        for msgid in range(count):
            free = "".join(" #"[(asker.number * count + msgid) >> bit & 1] for bit in range(8))
            rows = ["##########", "#@       #", "# $  .   #", f"#{free}#", "#        #", "# .  $   #", "##########"]
            found.append(asker.wire.send_request(msgid, "levels.solve", [{"game": "sokoban", "rows": rows}]))
        return found

    with serving(land, "--workers", 2, "--threads", 1) as server, Client(port=server.port, timeout_s=200) as client:
        askers = [Asker(server.port, i) for i in range(4)]
        for asker in askers:
            asker.send(levels(asker, 60))
            asker.start()
        for killed in range(4):
            for asker in askers:
                assert asker.heard(10 * (killed + 1))
            while not (workers := worker_processes(server)):  # the one that was killed is being replaced
                time.sleep(0.01)
            workers[killed % len(workers)].kill()
            assert client.call("terrain.chunk", seed=1, x=32 * killed, size=32)["size"] == 32
        for asker in askers:
            assert asker.heard(60)
        assert client.call("levels.solve", game="sokoban", rows=["######", "#@ $.#", "######"])["solution"] == "rR"
        code, log = server.stop()
    assert code == 0
    assert not re.search("ERROR|Traceback", log), log
    assert "another takes its place" in log
    for asker in askers:
        asker.join(60)
        assert sorted(answer.msgid for answer in asker.answers) == list(range(60))
        assert {answer.error[0] for answer in asker.answers if answer.error} <= {Code.WORKER_FAILED}
        assert sum(answer.error is None for answer in asker.answers) > 50


# A crowd (of 500, for a minute: tests/benchmarks/test_load.py)


@pytest.mark.slow
def test_a_hundred_clients_at_once(land: Path) -> None:
    """More than there are places in the queue: all are answered, or told when to come back."""

    def chunks(seed: int) -> Asks:
        return (("terrain.chunk", {"seed": seed, "x": 32 * n, "size": 32}) for n in itertools.count())

    async def crowd(port: int) -> Tally:
        tally, until = Tally(), time.monotonic() + 3
        guests = [await Guest.connect(port) for _ in range(100)]
        asking = [guest.keep_asking(chunks(i), until, tally) for i, guest in enumerate(guests)]
        await asyncio.gather(*asking)
        for guest in guests:
            guest.close()
        return tally

    with serving(land, "--workers", 0, "--max-queued", 20, "--quiet") as server:  # its log is read only at the end
        tally = asyncio.run(crowd(server.port))
        code, log = server.stop()
    assert not tally.errors
    assert tally.answers > 0
    assert tally.overloaded["terrain.chunk"] > 0
    assert (code, log.count("ERROR")) == (0, 0), log
