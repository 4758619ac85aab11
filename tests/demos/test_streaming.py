"""Worker threads against a connection that does what the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from demos.world import start
from demos.world.shading import shade
from demos.world.streaming import Chunk, Key, Stream, fetch
from runtime.errors import Code, RpcError

Wait = Callable[[Callable[[], object]], None]


def key(column: int, row: int = 0, seed: int = 7) -> Key:
    return Key(seed, column, row)


def asked(connection: Any) -> list[Key]:
    """The chunks that were asked for, in that order."""
    return [Key(seed, (x + 1) // 256, (y + 1) // 256) for seed, x, y in connection.asked]


@pytest.fixture
def stream(connection: Any) -> Iterator[Stream]:
    stream = Stream(lambda: connection, workers=1, retry_s=0.001, longest_retry_s=0.01)
    yield stream
    connection.gate.set()
    stream.close()


def take(stream: Stream, count: int, wait: Wait) -> list[Chunk]:
    chunks: list[Chunk] = []

    def enough() -> bool:
        chunks.extend(stream.take())
        return len(chunks) >= count

    wait(enough)
    return chunks


def test_a_chunk_is_the_land_it_says(connection: Any, land: Any) -> None:
    chunk = fetch(connection, key(-2, 3))
    np.testing.assert_array_equal(chunk.heights, land(7, -512, 768, 256))
    assert [picture.shape[0] for picture in chunk.pictures] == [256, 128, 64]
    assert (chunk.scale, chunk.offset, chunk.meters_per_pixel) == (0.25, -4096.0, 90.0)


def test_neighbours_meet_as_in_one_picture(connection: Any, land: Any) -> None:
    west, east = (fetch(connection, key(column)).pictures[0] for column in (0, 1))
    whole = shade(land(7, -1, -1, 514).astype(np.float32) * np.float32(0.25) - np.float32(4096), 90.0)
    np.testing.assert_array_equal(np.hstack([west, east]), whole[:256])


def test_chunks_are_made_in_the_order_wanted(connection: Any, stream: Stream, wait: Wait) -> None:
    wanted = [key(2), key(0), key(1), key(-1)]
    stream.want(wanted)
    assert [chunk.key for chunk in take(stream, 4, wait)] == wanted
    assert asked(connection) == wanted
    assert stream.status().made == 4
    assert stream.status().waiting == 0


def test_what_is_no_longer_wanted_is_not_asked_for(connection: Any, stream: Stream, wait: Wait) -> None:
    connection.gate.clear()
    stream.want([key(0), key(1), key(2)])
    wait(lambda: connection.asked)
    stream.want([key(5)])
    connection.gate.set()
    take(stream, 2, wait)
    assert asked(connection) == [key(0), key(5)]


def test_what_is_being_made_is_not_asked_for_twice(connection: Any, wait: Wait) -> None:
    connection.gate.clear()
    stream = Stream(lambda: connection, workers=3)
    for _ in range(5):
        stream.want([key(0), key(1)])
    wait(lambda: stream.status().busy == 2)
    stream.want([key(0), key(1)])
    assert stream.status().waiting == 0
    connection.gate.set()
    wait(lambda: stream.status().made == 2)
    stream.want([key(0), key(1)])  # finished, and not taken yet
    assert stream.status().waiting == 0
    assert {chunk.key for chunk in take(stream, 2, wait)} == {key(0), key(1)}
    stream.close()
    assert sorted(asked(connection)) == [key(0), key(1)]


def test_a_lost_connection_is_said_and_made_again(connection: Any, wait: Wait) -> None:
    connections = []

    def connect() -> Any:
        connections.append(connection)
        if len(connections) in (1, 3):
            raise ConnectionRefusedError("nobody there")
        return connection

    connection.errors = [ConnectionResetError("gone")]
    connection.gate.clear()
    stream = Stream(connect, workers=1, retry_s=0.001, longest_retry_s=0.01)
    wait(lambda: stream.status().trouble == "nobody there" or len(connections) > 1)
    stream.want([key(4)])
    connection.gate.set()
    assert [chunk.key for chunk in take(stream, 1, wait)] == [key(4)]
    assert asked(connection) == [key(4), key(4)]
    assert connection.closed == 1
    assert len(connections) == 4
    assert stream.status().trouble is None
    stream.close()
    assert connection.closed == 2


def test_trouble_is_told_while_it_lasts(wait: Wait) -> None:
    def connect() -> Any:
        raise ConnectionRefusedError("nobody there")

    stream = Stream(connect, workers=2, retry_s=0.001, longest_retry_s=0.01)
    wait(lambda: stream.status().trouble == "nobody there")
    stream.close()


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("no answer"),
        RpcError(Code.OVERLOADED, "busy", {"retry_after_ms": 1}),
        RpcError(Code.INTERNAL_ERROR, "failed"),
        ValueError("what is this"),
        KeyError("height"),
    ],
)
def test_errors_are_retried_on_the_same_connection(
    connection: Any, stream: Stream, wait: Wait, error: Exception
) -> None:
    connection.errors = [error, error]
    stream.want([key(0), key(1)])
    assert {chunk.key for chunk in take(stream, 2, wait)} == {key(0), key(1)}
    assert len(connection.asked) == 4
    assert connection.closed == 0


def test_a_refused_chunk_does_not_hold_up_the_others(connection: Any, wait: Wait) -> None:
    connection.errors = [RpcError(Code.OUT_OF_RANGE, "too far out")]
    stream = Stream(lambda: connection, workers=1, longest_retry_s=1000)
    stream.want([key(0), key(1), key(2)])
    assert [chunk.key for chunk in take(stream, 2, wait)] == [key(1), key(2)]
    assert stream.status().waiting == 1
    stream.close()


def test_an_answer_of_another_shape_is_trouble(wait: Wait) -> None:
    class Odd:
        def call(self, *_: Any, **__: Any) -> Any:
            return {"height": np.zeros((3, 3), "<u2"), "scale": 0.25, "offset": 0.0, "meters_per_pixel": 90.0}

        def close(self) -> None:
            pass

    stream = Stream(Odd, workers=1)
    stream.want([key(0)])
    wait(lambda: stream.status().trouble is not None)
    assert stream.status().trouble == "the runtime sent heights of shape (3, 3), not (258, 258)"
    stream.close()


def test_the_start_comes_before_chunks_and_survives_errors(connection: Any, wait: Wait) -> None:
    connection.errors = [ConnectionResetError("gone"), RpcError(Code.INTERNAL_ERROR, "failed")]
    connection.gate.clear()
    stream = Stream(lambda: connection, workers=1, retry_s=0.001, longest_retry_s=0.01)
    stream.find_start(3)
    stream.want([key(0)])
    connection.gate.set()
    found: list[Any] = []
    wait(lambda: found.append(stream.take_start()) or found[-1])
    assert found[-1] == start.nearest_land(connection.call, 3)
    take(stream, 1, wait)
    stream.close()


def test_only_the_start_asked_for_last_is_told(connection: Any, stream: Stream, wait: Wait) -> None:
    places = [start.nearest_land(connection.call, seed) for seed in (3, 4)]
    assert places[0] != places[1]
    connection.gate.clear()
    connection.asked.clear()
    stream.find_start(3)
    wait(lambda: connection.asked)
    stream.find_start(4)
    connection.gate.set()
    found: list[Any] = []
    wait(lambda: found.append(stream.take_start()) or found[-1])
    assert [place for place in found if place] == [places[1]]
    assert stream.take_start() is None
