"""Chunks from a runtime, fetched and shaded by worker threads; the main thread never waits for the network.

Theory of operation. The main thread says again and again what it wants, nearest first, with `want`; that list
replaces the one before, so what has gone out of view is not asked for. Each worker has its own connection, takes the
first wanted chunk that no other worker has, fetches it, shades it, and leaves it where `take` finds it.

Two kinds of trouble. Where the runtime can't be reached, is too busy or too slow, the worker waits, twice as long
each time, and connects anew; the chunk goes back to the others. Where the runtime refuses one chunk, or answers what
can't be understood, that chunk waits and the worker goes on with the next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from demos.world import start
from demos.world.camera import CHUNK
from demos.world.shading import Picture, shade_pyramid
from runtime.errors import Code, RpcError

PYRAMID = 3  # pictures a chunk: 256, 128 and 64 pixels a side
_BUSY = frozenset({Code.OVERLOADED, Code.SHUTTING_DOWN, Code.DEADLINE_EXCEEDED, Code.CANCELLED})


class Key(NamedTuple):
    """Which chunk: world pixels column * 256 to column * 256 + 255, and rows likewise."""

    seed: int
    column: int
    row: int


@dataclass(frozen=True)
class Chunk:
    """A finished chunk: (256, 256) heights, metres = value * scale + offset, and its pictures, largest first."""

    key: Key
    heights: NDArray[np.uint16]
    scale: float
    offset: float
    meters_per_pixel: float
    pictures: list[Picture]


@dataclass(frozen=True)
class Status:
    """What a stream is doing: chunks waiting, being made, and ever made; and what is wrong, if anything is."""

    waiting: int
    busy: int
    made: int
    trouble: str | None


class Connection(Protocol):
    """What a worker needs of runtime.client.Client."""

    def call(self, method: str, /, **params: Any) -> Any:
        """The result of a method."""

    def close(self) -> None:
        """End the connection."""


class Stream:
    """Worker threads that fetch and shade chunks. `connect` makes a connection, and may raise OSError.

    Waits between attempts go from `retry_s` to `longest_retry_s` seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        workers: int = 2,
        retry_s: float = 0.25,
        longest_retry_s: float = 4.0,
    ) -> None:
        self._connect = connect
        self._retry_s = retry_s
        self._longest_retry_s = longest_retry_s
        self._changed = threading.Condition()  # guards what follows
        self._wanted: list[Key] = []
        self._busy: set[Key] = set()
        self._refused: dict[Key, float] = {}  # when each may be asked for again, by time.monotonic()
        self._finished: dict[Key, Chunk] = {}
        self._seed_to_start: int | None = None  # of the world whose start is looked for
        self._start_busy = False
        self._start: tuple[int, int] | None = None
        self._made = 0
        self._trouble: str | None = None
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"chunks-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def want(self, keys: Sequence[Key]) -> None:
        """Fetch these and no others, in this order."""
        with self._changed:
            self._wanted = [key for key in keys if key not in self._finished]
            self._refused = {key: at for key, at in self._refused.items() if key in self._wanted}
            self._changed.notify_all()

    def take(self) -> list[Chunk]:
        """The chunks finished since the last call."""
        with self._changed:
            chunks = list(self._finished.values())
            self._finished.clear()
        return chunks

    def find_start(self, seed: int) -> None:
        """Look for the place to begin in a world, before any chunk; `take_start` will give it."""
        with self._changed:
            self._seed_to_start, self._start = seed, None
            self._changed.notify_all()

    def take_start(self) -> tuple[int, int] | None:
        """The world pixel to begin at, once it has been found; None before, and after it was taken."""
        with self._changed:
            found, self._start = self._start, None
        return found

    def status(self) -> Status:
        """A snapshot."""
        with self._changed:
            waiting = sum(key not in self._busy for key in self._wanted)
            return Status(waiting, len(self._busy) + self._start_busy, self._made, self._trouble)

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop the workers. One that still waits for an answer after `timeout_s` is left to end with the process."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        connection: Connection | None = None
        wait_s = self._retry_s
        while not self._closing.is_set():
            job: Key | int | None = None
            try:
                if connection is None:
                    connection = self._connect()
                    self._say(None)
                job = self._next_job()
                if job is None:
                    break
                self._do(connection, job)
                wait_s = self._retry_s
            except (RpcError, ValueError, KeyError, TypeError) as error:
                self._give_back(job)
                self._say(str(error) or repr(error))
                if isinstance(error, RpcError) and error.code in _BUSY:
                    wait_s = max(wait_s, error.details.get("retry_after_ms", 0) / 1000)
                    wait_s = self._pause(wait_s)
                elif isinstance(job, Key):
                    self._refuse(job)
                else:
                    wait_s = self._pause(wait_s)
            except OSError as error:  # ConnectionError and TimeoutError among them
                self._give_back(job)
                self._say(str(error))
                if connection is not None and not isinstance(error, TimeoutError):
                    connection.close()
                    connection = None
                wait_s = self._pause(wait_s)
        if connection is not None:
            connection.close()

    def _next_job(self) -> Key | int | None:
        """A chunk to make, or the seed of a world to begin in; waits for one; None when closing."""
        with self._changed:
            while not self._closing.is_set():
                if self._seed_to_start is not None and not self._start_busy:
                    self._start_busy = True
                    return self._seed_to_start
                now = time.monotonic()
                for key in self._wanted:
                    if key not in self._busy and self._refused.get(key, now) <= now:
                        self._busy.add(key)
                        return key
                self._changed.wait(0.2 if self._refused else None)
        return None

    def _do(self, connection: Connection, job: Key | int) -> None:
        if isinstance(job, Key):
            chunk = fetch(connection, job)
            with self._changed:
                self._busy.discard(job)
                self._refused.pop(job, None)
                self._finished[job] = chunk
                self._wanted = [key for key in self._wanted if key != job]
                self._made += 1
                self._trouble = None
        else:
            place = start.nearest_land(connection.call, job)
            with self._changed:
                self._start_busy = False
                if self._seed_to_start == job:  # else another world has been asked for since
                    self._seed_to_start, self._start = None, place
                self._trouble = None
                self._changed.notify_all()

    def _give_back(self, job: Key | int | None) -> None:
        with self._changed:
            if isinstance(job, Key):
                self._busy.discard(job)
            elif job is not None:
                self._start_busy = False
            self._changed.notify_all()

    def _refuse(self, key: Key) -> None:
        with self._changed:
            self._refused[key] = time.monotonic() + self._longest_retry_s

    def _say(self, trouble: str | None) -> None:
        with self._changed:
            self._trouble = trouble

    def _pause(self, wait_s: float) -> float:
        """Wait, unless closing; and how long to wait the next time."""
        self._closing.wait(wait_s)
        return min(2 * wait_s, self._longest_retry_s)


def fetch(connection: Connection, key: Key) -> Chunk:
    """A chunk, fetched and shaded. One pixel more is asked for on every side, so that slopes at its edges are exact.

    What `connection.call` raises; ValueError for heights of another shape.
    """
    size = CHUNK + 2
    answer = connection.call("terrain.chunk", seed=key.seed, x=key.column * CHUNK - 1, y=key.row * CHUNK - 1, size=size)
    heights = np.asarray(answer["height"])
    if heights.shape != (size, size):
        raise ValueError(f"the runtime sent heights of shape {heights.shape}, not {(size, size)}")
    scale, offset, meters_per_pixel = (float(answer[name]) for name in ("scale", "offset", "meters_per_pixel"))
    metres = heights.astype(np.float32) * np.float32(scale) + np.float32(offset)
    pictures = shade_pyramid(metres, meters_per_pixel, PYRAMID)
    # A copy, or the one pixel more would be kept as well.
    return Chunk(key, heights[1:-1, 1:-1].copy(), scale, offset, meters_per_pixel, pictures)
