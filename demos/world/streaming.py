"""Chunks from a runtime, fetched and shaded by worker threads; the main thread never waits for the network.

Theory of operation. The main thread calls `want` with the list of chunks it wants, nearest first. Each list replaces
the one before, so chunks that have left the view are not fetched. Each worker has its own connection. It takes the
first wanted chunk that no other worker has, fetches and shades it, and puts it where `take` finds it.

A chunk is fetched in two parts: first its heights, which are quick to make and give a first picture; then the layers of
a theme. Water can take the runtime a second, so the layers of only one chunk are fetched at a time, and heights never
wait for more than one of them.

There are two kinds of trouble. If the runtime can't be reached, is too busy or too slow, the worker waits, twice as
long each time, and connects again; its chunk goes back to the list. If the runtime refuses one chunk, or sends a
response that can't be used, that chunk waits and the worker continues with the next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from demos.world import start, themes
from demos.world.camera import CHUNK, LODS
from demos.world.shading import Floats, Picture, pyramid
from runtime.errors import Code, RpcError

METHOD = "terrain.chunk"
PYRAMID = LODS  # pictures of a chunk, 256 to 16 pixels a side: one for every level
_BUSY = frozenset({Code.OVERLOADED, Code.SHUTTING_DOWN, Code.DEADLINE_EXCEEDED, Code.CANCELLED})


class World(NamedTuple):
    """A world: a seed, and a style or a blend of styles."""

    seed: int
    style: str


class Key(NamedTuple):
    """The key of a chunk: pixels column * 256 to column * 256 + 255 of a level, and rows likewise; and its theme."""

    world: World
    lod: int
    column: int
    row: int
    theme: str = themes.LAND


@dataclass(frozen=True)
class Ground:
    """The heights (258, 258) of a chunk, one pixel more on every side: metres = value * scale + offset."""

    heights: NDArray[np.uint16]
    scale: float
    offset: float
    meters_per_pixel: float

    def metres(self) -> Floats:
        """All heights in metres."""
        return self.heights.astype(np.float32) * np.float32(self.scale) + np.float32(self.offset)

    def metres_at(self, column: int, row: int) -> float:
        """The height at a pixel of the chunk, in metres."""
        return float(self.heights[row + 1, column + 1]) * self.scale + self.offset


class Order(NamedTuple):
    """A chunk to fetch. If it shows a theme, it needs the ground that was fetched before."""

    key: Key
    ground: Ground | None = None


@dataclass(frozen=True)
class Chunk:
    """A finished chunk: its pictures, the largest first, and the layers that they show, (256, 256) each.

    `biomes`: the names of the biomes, by their index in the layer. `provenance`: as the runtime sent it.
    """

    key: Key
    ground: Ground
    pictures: list[Picture]
    layers: themes.Layers
    biomes: tuple[str, ...]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Status:
    """The state of a stream: how many chunks wait, are being fetched, and were fetched in all; and its trouble."""

    waiting: int
    busy: int
    made: int
    trouble: str | None


class Connection(Protocol):
    """The part of runtime.client.Client that workers use."""

    def call(self, method: str, /, **params: Any) -> Any:
        """The result of a method."""

    def close(self) -> None:
        """End the connection."""


class Stream:
    """Worker threads that fetch and shade chunks.

    `connect` opens a connection, and may raise OSError. Waits between attempts grow from `retry_s` to `longest_retry_s`
    seconds.
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
        self._changed = threading.Condition()  # guards the following
        self._wanted: list[Order] = []
        self._busy: set[Key] = set()
        self._refused: dict[Key, float] = {}  # when each may be fetched again, by time.monotonic()
        self._finished: dict[Key, Chunk] = {}
        self._world_to_start: World | None = None  # the world whose start is being searched
        self._start_busy = False
        self._start: tuple[int, int] | None = None
        self._made = 0
        self._trouble: str | None = None
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"chunks-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def want(self, orders: Sequence[Order]) -> None:
        """Fetch these chunks and no others, in this order; the layers of only one at a time."""
        with self._changed:
            self._wanted = [order for order in orders if order.key not in self._finished]
            wanted = {order.key for order in self._wanted}
            self._refused = {key: at for key, at in self._refused.items() if key in wanted}
            self._changed.notify_all()

    def take(self) -> list[Chunk]:
        """The chunks finished since the last call."""
        with self._changed:
            chunks = list(self._finished.values())
            self._finished.clear()
        return chunks

    def find_start(self, world: World) -> None:
        """Search for the place to begin in a world, before any chunk is fetched. `take_start` returns it."""
        with self._changed:
            self._world_to_start, self._start = world, None
            self._changed.notify_all()

    def take_start(self) -> tuple[int, int] | None:
        """The world pixel to begin at, once. None before it is found, and after it was taken."""
        with self._changed:
            found, self._start = self._start, None
        return found

    def status(self) -> Status:
        """A snapshot."""
        with self._changed:
            waiting = sum(order.key not in self._busy for order in self._wanted)
            return Status(waiting, len(self._busy) + self._start_busy, self._made, self._trouble)

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop the workers. A worker that still waits for a response after `timeout_s` ends with the process."""
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
            job: Order | World | None = None
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
                elif isinstance(job, Order):
                    self._refuse(job.key)
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

    def _next_job(self) -> Order | World | None:
        """Wait for a chunk to fetch, or a world whose start to search. None when closing."""
        with self._changed:
            while not self._closing.is_set():
                if self._world_to_start is not None and not self._start_busy:
                    self._start_busy = True
                    return self._world_to_start
                now = time.monotonic()
                held = any(key.theme != themes.LAND for key in self._busy)
                for order in self._wanted:
                    key = order.key
                    if held and key.theme != themes.LAND:
                        continue
                    if key not in self._busy and self._refused.get(key, now) <= now:
                        self._busy.add(key)
                        return order
                self._changed.wait(0.2 if self._refused else None)
        return None

    def _do(self, connection: Connection, job: Order | World) -> None:
        if isinstance(job, Order):
            chunk = fetch(connection, job)
            with self._changed:
                self._busy.discard(job.key)
                self._refused.pop(job.key, None)
                self._finished[job.key] = chunk
                self._wanted = [order for order in self._wanted if order.key != job.key]
                self._made += 1
                self._trouble = None
                self._changed.notify_all()
        else:
            place = start.nearest_land(connection.call, *job)
            with self._changed:
                self._start_busy = False
                if self._world_to_start == job:  # else another world has been asked for since
                    self._world_to_start, self._start = None, place
                self._trouble = None
                self._changed.notify_all()

    def _give_back(self, job: Order | World | None) -> None:
        with self._changed:
            if isinstance(job, Order):
                self._busy.discard(job.key)
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
        """Wait, unless closing. Returns how long to wait the next time."""
        self._closing.wait(wait_s)
        return min(2 * wait_s, self._longest_retry_s)


def fetch(connection: Connection, order: Order) -> Chunk:
    """Fetch and shade a chunk: for a theme its layers, on the ground of the order; for the land its ground.

    Raises:
        ValueError: an array has another shape; also all that `connection.call` raises.
    """
    key, ground = order
    if key.theme == themes.LAND:
        return _fetch_ground(connection, key)
    assert ground is not None
    names = themes.LAYERS[key.theme]
    answer = _call(connection, key, border=0, layers=names)
    layers = {name: _array(answer, name, CHUNK) for name in names}
    palette = answer.get("biome_palette", ())
    picture = themes.colours(
        key.theme, ground.metres(), ground.meters_per_pixel, layers, [biome["rgb"] for biome in palette]
    )
    biomes = tuple(str(biome["name"]) for biome in palette)
    return Chunk(key, ground, pyramid(picture, PYRAMID), layers, biomes, answer["provenance"])


def _fetch_ground(connection: Connection, key: Key) -> Chunk:
    """Fetch the heights, with one pixel more on every side so that slopes at the chunk's edges are exact."""
    answer = _call(connection, key, border=1, layers=("height",))
    scale, offset, meters_per_pixel = (float(answer[name]) for name in ("scale", "offset", "meters_per_pixel"))
    ground = Ground(_array(answer, "height", CHUNK + 2), scale, offset, meters_per_pixel)
    picture = themes.colours(themes.LAND, ground.metres(), meters_per_pixel, {})
    return Chunk(key, ground, pyramid(picture, PYRAMID), {}, (), answer["provenance"])


def _call(connection: Connection, key: Key, border: int, layers: Sequence[str]) -> Any:
    return connection.call(
        METHOD,
        seed=key.world.seed,
        style=key.world.style,
        x=(key.column * CHUNK - border) << key.lod,
        y=(key.row * CHUNK - border) << key.lod,
        size=CHUNK + 2 * border,
        lod=key.lod,
        layers=list(layers),
    )


def _array(answer: Any, name: str, size: int) -> NDArray[Any]:
    array = np.asarray(answer[name])
    if array.shape != (size, size):
        raise ValueError(f"the runtime sent {name} of shape {array.shape}, not {(size, size)}")
    return array
