"""Worker threads against a connection that does what the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from demos.world import start, themes
from demos.world.shading import shade
from demos.world.streaming import Chunk, Ground, Key, Order, Stream, World, fetch
from runtime.errors import Code, RpcError

Wait = Callable[[Callable[[], object]], None]


WORLD = World(7, "varied")


def key(column: int, row: int = 0, lod: int = 0, theme: str = themes.LAND) -> Key:
    return Key(WORLD, lod, column, row, theme)


def land_order(column: int, row: int = 0, lod: int = 0) -> Order:
    return Order(key(column, row, lod))


def order(connection: Any, column: int, row: int = 0, lod: int = 0, theme: str = "relief") -> Order:
    """For a theme, on the ground it needs."""
    return Order(key(column, row, lod, theme), fetch(connection, land_order(column, row, lod)).ground)


def asked(connection: Any) -> list[Key]:
    """The chunks whose land was asked for, in that order: the corner is less than a chunk beside it."""
    return [
        Key(
            World(params["seed"], params["style"]),
            params["lod"],
            (params["x"] + 256) // (256 << params["lod"]),
            (params["y"] + 256) // (256 << params["lod"]),
        )
        for params in connection.asked
    ]


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


@pytest.mark.parametrize("lod", [0, 1, 4])
def test_a_chunk_is_the_land_it_says(connection: Any, land: Any, lod: int) -> None:
    chunk = fetch(connection, land_order(-2, 3, lod))
    whole = land(7, (-512 - 1) << lod, (768 - 1) << lod, 258, lod)
    np.testing.assert_array_equal(chunk.ground.heights, whole)
    assert chunk.ground.metres_at(5, 9) == land(7, (-512 + 5) << lod, (768 + 9) << lod, 1, lod)[0, 0] / 4 - 4096
    assert [picture.shape[0] for picture in chunk.pictures] == [256, 128, 64, 32, 16]
    assert chunk.ground.meters_per_pixel == 90.0 * 2**lod
    assert chunk.provenance["model"] == "formula"


@pytest.mark.parametrize("lod", [0, 3])
@pytest.mark.parametrize("theme", [themes.LAND, "biome"])
def test_neighbours_meet_as_in_one_picture(connection: Any, land: Any, lod: int, theme: str) -> None:
    orders = [order(connection, column, 0, lod, theme) for column in (0, 1)]
    west, east = (fetch(connection, made).pictures[0] for made in orders)
    heights = land(7, -1 << lod, -1 << lod, 514, lod)
    metres = heights.astype(np.float32) * np.float32(0.25) - np.float32(4096)
    whole = shade(metres, 90.0 * 2**lod)
    if theme == "biome":
        inner = land(7, 0, 0, 512, lod) / 4 - 4096
        layers = {"biome": (inner >= 0).astype(np.uint8), "water": ((inner > 500) & (inner < 600)).astype(np.uint16)}
        palette = [(10, 20, 200), (120, 90, 140)]
        whole = np.rint(themes.colours("biome", metres, 90.0 * 2**lod, layers, palette)).astype(np.uint8)
    np.testing.assert_array_equal(np.hstack([west, east]), whole[:256])


def test_a_theme_asks_for_its_layers_and_nothing_more(connection: Any) -> None:
    wanted = order(connection, -3, 5, 2, "flow")
    connection.asked.clear()
    chunk = fetch(connection, wanted)
    assert connection.asked == [
        {
            "seed": 7, "style": "varied", "x": -3 * 1024, "y": 5 * 1024, "size": 256, "lod": 2,
            "layers": ["flow", "water"],
        }
    ]  # fmt: skip
    assert {name: layer.shape for name, layer in chunk.layers.items()} == {"flow": (256, 256), "water": (256, 256)}
    assert chunk.ground is wanted.ground


def test_land_goes_on_while_one_theme_is_made(connection: Any, wait: Wait) -> None:
    relief = [order(connection, column) for column in (0, 1, 2)]
    connection.asked.clear()
    connection.gate.clear()
    stream = Stream(lambda: connection, workers=3)
    stream.want([*relief, land_order(8), land_order(9)])
    wait(lambda: stream.status().busy == 3)
    assert sorted(params["layers"] for params in connection.asked) == [["height"], ["height"], ["water", "flow"]]
    connection.gate.set()
    assert {chunk.key for chunk in take(stream, 5, wait)} == {one.key for one in relief} | {key(8), key(9)}
    stream.close()


def test_chunks_are_made_in_the_order_wanted(connection: Any, stream: Stream, wait: Wait) -> None:
    wanted = [key(2), key(0), key(1, lod=2), key(-1)]
    stream.want([Order(key) for key in wanted])
    assert [chunk.key for chunk in take(stream, 4, wait)] == wanted
    assert asked(connection) == wanted
    assert stream.status().made == 4
    assert stream.status().waiting == 0


def test_what_is_no_longer_wanted_is_not_asked_for(connection: Any, stream: Stream, wait: Wait) -> None:
    connection.gate.clear()
    stream.want([land_order(0), land_order(1), land_order(2)])
    wait(lambda: connection.asked)
    stream.want([land_order(5)])
    connection.gate.set()
    take(stream, 2, wait)
    assert asked(connection) == [key(0), key(5)]


def test_what_is_being_made_is_not_asked_for_twice(connection: Any, wait: Wait) -> None:
    connection.gate.clear()
    stream = Stream(lambda: connection, workers=3)
    for _ in range(5):
        stream.want([land_order(0), land_order(1)])
    wait(lambda: stream.status().busy == 2)
    stream.want([land_order(0), land_order(1)])
    assert stream.status().waiting == 0
    connection.gate.set()
    wait(lambda: stream.status().made == 2)
    stream.want([land_order(0), land_order(1)])  # finished, and not taken yet
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
    stream.want([land_order(4)])
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
    stream.want([land_order(0), land_order(1)])
    assert {chunk.key for chunk in take(stream, 2, wait)} == {key(0), key(1)}
    assert len(connection.asked) == 4
    assert connection.closed == 0


def test_a_refused_chunk_does_not_hold_up_the_others(connection: Any, wait: Wait) -> None:
    connection.errors = [RpcError(Code.OUT_OF_RANGE, "too far out")]
    stream = Stream(lambda: connection, workers=1, longest_retry_s=1000)
    stream.want([land_order(0), land_order(1), land_order(2)])
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
    stream.want([land_order(0)])
    wait(lambda: stream.status().trouble is not None)
    assert stream.status().trouble == "the runtime sent height of shape (3, 3), not (258, 258)"
    stream.close()


def test_the_start_comes_before_chunks_and_survives_errors(connection: Any, wait: Wait) -> None:
    connection.errors = [ConnectionResetError("gone"), RpcError(Code.INTERNAL_ERROR, "failed")]
    connection.gate.clear()
    stream = Stream(lambda: connection, workers=1, retry_s=0.001, longest_retry_s=0.01)
    stream.find_start(World(3, "varied"))
    stream.want([land_order(0)])
    connection.gate.set()
    found: list[Any] = []
    wait(lambda: found.append(stream.take_start()) or found[-1])
    assert found[-1] == start.nearest_land(connection.call, 3, "varied")
    take(stream, 1, wait)
    stream.close()


def test_only_the_start_asked_for_last_is_told(connection: Any, stream: Stream, wait: Wait) -> None:
    places = [start.nearest_land(connection.call, seed, "varied") for seed in (3, 4)]
    assert places[0] != places[1]
    connection.gate.clear()
    connection.asked.clear()
    stream.find_start(World(3, "varied"))
    wait(lambda: connection.asked)
    stream.find_start(World(4, "varied"))
    connection.gate.set()
    found: list[Any] = []
    wait(lambda: found.append(stream.take_start()) or found[-1])
    assert [place for place in found if place] == [places[1]]
    assert stream.take_start() is None


def test_a_biome_without_a_name_is_trouble(connection: Any) -> None:
    wanted = order(connection, 0, theme="biome")
    connection.call = lambda *_, **__: {
        "biome": np.full((256, 256), 9, np.uint8),
        "water": np.zeros((256, 256), np.uint16),
        "biome_palette": [{"name": "sea", "rgb": [1, 2, 3]}],
        "provenance": {},
    }
    with pytest.raises(ValueError, match="sent biome 9, and names only 1"):
        fetch(connection, wanted)


def test_ground_is_metres() -> None:
    ground = Ground(np.array([[0, 4], [8, 16384]], np.uint16), 0.25, -4096.0, 90.0)
    assert ground.metres().tolist() == [[-4096.0, -4095.0], [-4094.0, 0.0]]
    assert ground.metres().dtype == np.float32
