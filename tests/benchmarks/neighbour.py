"""How the runtime and other programs get on with each other on one machine:  python tests/benchmarks/neighbour.py

A row a server, each with its own environment and flags; all run at the same time, and are asked in turn, so that a
machine whose speed drifts slows all of them. Three tables:

1. Milliseconds that a new chunk of 256x256 takes (median / 99th percentile), while nothing, one and two loops keep
   the cores busy.
2. Frames that a simulated game of 60 frames a second shows late while a client asks for one new chunk after the other,
   and how many chunks that client gets. The game takes 8 ms of a core for a frame; a frame is late when it is not done
   before the next one is due.
3. Seconds of the processor until a server answers its first chunk, until all its models are proved, and until it rests:
   its workers have started then, and it knows what is worth running together.

Nothing is asserted. Say which processor and which load gave the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

from runtime.client import Client

ROWS = [
    "`--dedicated`: --dedicated",
    "default:",
    "`OMP_WAIT_POLICY=PASSIVE`: OMP_WAIT_POLICY=PASSIVE",
    "`--threads 1`: --threads 1",
]
SIZE = 256
FRAME_S, WORK_S = 1 / 60, 0.008
GAME = f"""
import time
def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end: pass
frames, late = 0, 0
due = time.perf_counter()
end = due + float(input())
while due < end:
    due += {FRAME_S}
    burn({WORK_S})
    now = time.perf_counter()
    frames, late = frames + 1, late + (now > due)
    if now < due: time.sleep(due - now)
    else: due = now
print(frames, late)
"""
LOOP = """
import os, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()  # it ends with who started it
while True: pass
"""


@dataclass
class Row:
    """A server, and what was measured of it. `text`: NAME: VARIABLE=VALUE … --flag …"""

    text: str
    times: dict[int, list[float]] = field(default_factory=dict)  # seconds of a chunk, by how many loops are busy
    frames: int = 0
    late: int = 0
    chunks: int = 0
    game_s: float = 0.0
    first_s: float = 0.0
    ready_s: float = 0.0
    rest_s: float = 0.0
    asked: int = 0

    def __post_init__(self) -> None:
        self.name, _, rest = self.text.partition(":")
        words = shlex.split(rest)
        variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        flags = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        command = [sys.executable, "-m", "pcg.cli", "serve", "--port", "0", "--until-eof", "--quiet", *flags]
        self.process = subprocess.Popen(
            command, env=os.environ | variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.client = Client("127.0.0.1", int(re.search(r":(\d+)$", line)[1]), timeout_s=600)
        self.chunk()
        self.first_s = self._processor_s()
        while not self.client.call("server.health")["ready"]:
            time.sleep(0.05)
        self.ready_s = self._processor_s()
        while (before := self._processor_s()) is not None:  # until it rests: batches are measured last
            time.sleep(2.0)
            if self._processor_s() - before < 0.1:
                break
        self.rest_s = self._processor_s()

    def _processor_s(self) -> float:
        """Of the server and its workers."""
        parent = psutil.Process(self.process.pid)
        times = [p.cpu_times() for p in [parent, *parent.children(recursive=True)]]
        return sum(t.user + t.system for t in times)

    def chunk(self) -> float:
        """Seconds that a new chunk takes. Neighbours in rows of 8, as a game asks for them."""
        self.asked += 1
        x, y = self.asked % 8 * SIZE, self.asked // 8 * SIZE
        began = time.perf_counter()
        self.client.call("terrain.chunk", seed=11, x=x, y=y, size=SIZE)
        return time.perf_counter() - began

    def play(self, seconds: float) -> None:
        """The game beside a client that wants chunks."""
        with game(seconds) as playing:
            began = time.perf_counter()
            while playing.poll() is None:
                self.chunk()
                self.chunks += 1
            self.game_s += time.perf_counter() - began
            frames, late = result(playing)
            self.frames, self.late = self.frames + frames, self.late + late

    def close(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def game(seconds: float) -> Iterator[subprocess.Popen[str]]:
    playing = subprocess.Popen([sys.executable, "-c", GAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert playing.stdin is not None
    playing.stdin.write(f"{seconds}\n")
    playing.stdin.close()
    yield playing
    playing.wait()


def result(playing: subprocess.Popen[str]) -> tuple[int, int]:
    assert playing.stdout is not None
    frames, late = map(int, playing.stdout.read().split())
    return frames, late


@contextlib.contextmanager
def busy(loops: int) -> Iterator[None]:
    running = [subprocess.Popen([sys.executable, "-c", LOOP], stdin=subprocess.PIPE) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", default=ROWS, help="servers, as 'NAME: VARIABLE=VALUE --flag'")
    parser.add_argument("--rounds", type=int, default=6, help="of each measurement, the servers taking turns")
    parser.add_argument("--chunks", type=int, default=20, help="a round")
    parser.add_argument("--game", type=float, default=5.0, help="seconds a round")
    options = parser.parse_args()
    rows = [Row(text) for text in options.rows]
    alone = [0, 0]
    try:
        for row in rows:  # the first rounds fill caches
            for _ in range(8):
                row.chunk()
        for loops in (0, 1, 2):
            for _ in range(options.rounds):
                for row in rows:
                    with busy(loops):
                        row.times.setdefault(loops, []).extend(row.chunk() for _ in range(options.chunks))
        for _ in range(options.rounds):
            with game(options.game) as playing:
                pass
            frames, late = result(playing)
            alone[0], alone[1] = alone[0] + frames, alone[1] + late
            for row in rows:
                row.play(options.game)
    finally:
        for row in rows:
            row.close()
    idle = statistics.median(rows[0].times[0])
    print(
        "| server | idle | + one busy loop | + two | late frames | chunks/s | s to first chunk | to ready | to rest |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print(f"| none | | | | {alone[1] / alone[0]:.1%} | | | | |")
    for row in rows:
        cells = []
        for times in row.times.values():
            median, worst = statistics.median(times), percentile(times, 0.99)
            cells.append(f"{1e3 * median:.0f} / {1e3 * worst:.0f} ({median / idle:.2f})")
        print(
            f"| {row.name} | {' | '.join(cells)} | {row.late / row.frames:.1%} | {row.chunks / row.game_s:.1f} "
            f"| {row.first_s:.1f} | {row.ready_s:.1f} | {row.rest_s:.1f} |"
        )
    print("In brackets: the median over the first row's with nothing beside it.")


if __name__ == "__main__":
    main()
