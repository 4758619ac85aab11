"""terrain.chunks: which chunks, in which order, one by one as they are done and read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.client import AsyncClient, Client
from runtime.content.terrain.chunks import MAX_CHUNKS, ChunksRequest, chunks
from runtime.errors import Code, RpcError
from runtime.local import Local
from runtime.parameters import Options
from runtime.scheduling import streaming
from runtime.scheduling.jobs import Flow
from runtime.scheduling.work import Work
from runtime.service import Service
from runtime.serving.server import Server
from runtime.wire.protocol import Packed, pack

# Which chunks


def places(**params: Any) -> list[tuple[int, int]]:
    return [(chunk["x"], chunk["y"]) for chunk in chunks(ChunksRequest(seed=1, **params))]


def test_places_keep_their_order_and_share_the_rest() -> None:
    asked = chunks(ChunksRequest(seed=5, places=[(9, -9), (0, 0)], size=16, lod=2, style="alpine"))
    assert [(chunk["x"], chunk["y"]) for chunk in asked] == [(9, -9), (0, 0)]
    assert {(c["seed"], c["size"], c["lod"], c["style"]) for c in asked} == {(5, 16, 2, "alpine")}


def test_rings_around_a_point() -> None:
    assert places(around=(130, -1), size=64, radius=0) == [(128, -64)]
    assert places(around=(32, 32), size=64, radius=1)[0] == (0, 0)
    assert len(places(around=(0, 0), radius=3)) == 49
    assert set(places(around=(0, 0), radius=3)) - set(places(around=(0, 0), radius=1)) == set(
        places(around=(0, 0), radius=3, inner=2)
    )


@given(
    st.tuples(st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53)),
    st.integers(1, 300),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_the_nearest_come_first_and_lie_on_the_grid(point: tuple[int, int], size: int, lod: int, radius: int) -> None:
    side = size << lod
    found = places(around=point, size=size, lod=lod, radius=radius)
    assert len(set(found)) == (2 * radius + 1) ** 2
    first = found[0]
    assert all(corner <= at < corner + side for corner, at in zip(first, point, strict=True))
    assert all(at % side == 0 for place in found for at in place)
    distances = [sum((2 * at + side - 2 * p - 1) ** 2 for at, p in zip(place, point, strict=True)) for place in found]
    assert distances == sorted(distances)


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({}, Code.INVALID_PARAMS, "neither places nor around"),
        ({"places": [], "around": (0, 0)}, Code.INVALID_PARAMS, "both places and around"),
        ({"around": (0, 0), "radius": -1}, Code.OUT_OF_RANGE, "inner 0 to radius -1"),
        ({"around": (0, 0), "radius": 1, "inner": 2}, Code.OUT_OF_RANGE, "inner 2 to radius 1"),
        ({"around": (0, 0), "radius": 16}, Code.OUT_OF_RANGE, "radius asks for 1089 chunks"),
        ({"around": (0, 0), "radius": 2**62}, Code.OUT_OF_RANGE, "radius asks for"),
        ({"places": [(0, 0)] * (MAX_CHUNKS + 1)}, Code.OUT_OF_RANGE, "places asks for 1025 chunks; 1024"),
    ],
)
def test_invalid_chunks_requests(params: dict[str, Any], code: Code, words: str) -> None:
    with pytest.raises(RpcError) as caught:
        places(**params)
    assert caught.value.code is code
    assert words in caught.value.message


def test_a_level_of_detail_beyond_all_bounds_costs_nothing_before_it_is_refused() -> None:
    assert len(places(around=(0, 0), lod=2**60, size=2**60)) == 9


# In order, a few ahead


class Bench:
    """Works whose results are given by hand; `begun` lists those that were started."""

    def __init__(self, count: int) -> None:
        self.works = [Work("model", str(i).encode(), lambda: None) for i in range(count)]
        self.begun: list[int] = []
        self.futures: dict[int, asyncio.Future[Packed]] = {}
        self.full = False
        self.items: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.flow = Flow()
        self.ahead = 0  # bytes
        self.flow.on_ahead = self.count_ahead

    def count_ahead(self, size: int) -> None:
        self.ahead += size
        assert self.ahead >= 0

    def start(self, work: Work) -> asyncio.Future[Packed]:
        if self.full:
            raise RpcError(Code.OVERLOADED, "full", {"retry_after_ms": 1})
        index = int(work.key)
        self.begun.append(index)
        self.futures[index] = asyncio.get_running_loop().create_future()
        return self.futures[index]

    def give(self, index: int) -> None:
        self.futures[index].set_result(pack(index))

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        assert method == "item"
        await self.reads.wait()
        self.items.append(params)

    def answer(self, **options: Any) -> asyncio.Task[Packed]:
        asked = Options(**options)
        return asyncio.create_task(streaming.respond(self.works, "part", asked, self.start, self.notify, self.flow))


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("gone", [False, True])
async def test_results_made_ahead_count_for_the_connection_until_sent_or_abandoned(gone: bool) -> None:
    bench = Bench(6)
    answer = bench.answer(stream=True)
    bench.reads.clear()
    await turns()
    for index in (1, 2, 3):
        bench.give(index)
        await turns()
        assert bench.ahead == index * len(pack(0).data)
    if gone:
        answer.cancel()
        await turns()
        assert bench.futures[0].cancelled()
    else:
        bench.reads.set()
        for index in (0, 4, 5):
            bench.give(index) if index in bench.futures else None
            await turns()
        await answer
    assert bench.ahead == 0


async def test_results_are_sent_in_order_whatever_order_they_are_done_in() -> None:
    bench = Bench(3)
    answer = bench.answer(stream=True)
    await turns()
    bench.give(1)
    bench.give(2)
    await turns()
    assert bench.items == []
    bench.give(0)
    assert await answer == pack({"count": 3})
    assert bench.items == [{"index": i, "part": pack(i)} for i in range(3)]


async def test_no_more_is_begun_than_a_slow_reader_takes() -> None:
    bench = Bench(20)
    bench.reads.clear()
    answer = bench.answer(stream=True)
    for i in range(20):
        await turns()
        if i in bench.futures:
            bench.give(i)
    assert len(bench.begun) == streaming.AHEAD
    bench.reads.set()
    for i in range(20):
        await turns()
        if not bench.futures[i].done():
            bench.give(i)
    await answer
    assert bench.begun == list(range(20))


async def test_without_stream_all_come_in_the_response() -> None:
    bench = Bench(2)
    answer = bench.answer()
    await turns()
    bench.give(0)
    bench.give(1)
    assert await answer == pack({"count": 2, "parts": [0, 1]})
    assert bench.items == []


async def test_cancelling_abandons_what_was_begun() -> None:
    bench = Bench(10)
    answer = bench.answer(stream=True)
    await turns()
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert len(bench.begun) == streaming.AHEAD
    assert all(future.cancelled() for future in bench.futures.values())


async def test_an_error_ends_it_and_abandons_the_rest() -> None:
    bench = Bench(10)
    answer = bench.answer(stream=True)
    await turns()
    bench.futures[0].set_exception(RpcError(Code.INTERNAL_ERROR, "broken"))
    with pytest.raises(RpcError, match="broken"):
        await answer
    assert all(future.cancelled() for index, future in bench.futures.items() if index)


async def test_a_deadline_is_for_all_of_it() -> None:
    bench = Bench(10)
    answer = bench.answer(stream=True, deadline_ms=30)
    await turns()
    bench.give(0)
    with pytest.raises(RpcError, match="within the 30 ms") as caught:
        await answer
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    assert len(bench.items) == 1


async def test_a_full_queue_refuses_the_first_and_delays_the_others() -> None:
    bench = Bench(3)
    bench.full = True
    with pytest.raises(RpcError, match="full"):
        await bench.answer(stream=True)
    bench.full = False
    start = bench.start

    def start_one(work: Work) -> asyncio.Future[Packed]:
        future = start(work)
        bench.full = len(bench.begun) == 1
        return future

    bench.start = start_one  # type: ignore[method-assign]
    answer = bench.answer(stream=True)
    await turns()
    assert bench.begun == [0]
    bench.full = False
    while len(bench.begun) < 3:
        await asyncio.sleep(0.001)
    for i in range(3):
        bench.give(i)
    assert await answer == pack({"count": 3})


async def test_more_than_a_message_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MAX_MESSAGE_BYTES", 100)
    bench = Bench(10)
    answer = bench.answer()
    for i in range(2):
        await turns()
        bench.futures[i].set_result(pack(bytes(30)))
    with pytest.raises(RpcError, match="2 of these results have") as caught:
        await answer
    assert caught.value.code is Code.OUT_OF_RANGE


# With the model, by every client

RING = {"seed": 7, "around": [40, -40], "radius": 1, "size": 32}


@pytest.fixture(scope="module")
def runtime(bundled: Local) -> Local:
    return bundled


@pytest.fixture
async def port(runtime: Local) -> AsyncIterator[int]:
    service = Service(runtime.service.registry, runtime.service.engine)
    async with Server(service, port=0) as server:
        yield server.port


def check(items: list[dict[str, Any]], runtime: Local) -> None:
    assert [item["index"] for item in items] == list(range(9))
    assert (items[0]["chunk"]["x"], items[0]["chunk"]["y"]) == (32, -64)
    for item in items:
        alone = runtime.call("terrain.chunk", seed=7, x=item["chunk"]["x"], y=item["chunk"]["y"], size=32)
        assert np.array_equal(item["chunk"]["height"], alone["height"])
        assert item["chunk"]["provenance"] == alone["provenance"]


async def test_every_client_streams_the_same_chunks(port: int, runtime: Local) -> None:
    async with await AsyncClient.connect("127.0.0.1", port) as client:
        check([item async for item in client.stream("terrain.chunks", **RING)], runtime)
        whole = await client.call("terrain.chunks", **RING)
        check([{"index": i, "chunk": chunk} for i, chunk in enumerate(whole["chunks"])], runtime)
        assert whole["count"] == 9

    def blocking() -> None:
        with Client("127.0.0.1", port) as client:
            check(list(client.stream("terrain.chunks", **RING)), runtime)
            assert "terrain-detail" in client.call("server.health")["models"]

    await asyncio.to_thread(blocking)
    await asyncio.to_thread(lambda: check(list(runtime.stream("terrain.chunks", **RING)), runtime))
    assert (await asyncio.to_thread(runtime.call, "terrain.chunks", **RING))["count"] == 9


async def test_leaving_a_stream_early_cancels_it(port: int) -> None:
    async with await AsyncClient.connect("127.0.0.1", port) as client:
        stream = client.stream("terrain.chunks", **RING | {"radius": 15, "seed": 8})
        assert (await anext(stream))["index"] == 0
        await stream.aclose()
        while (await client.call("server.health"))["queue_depth"]:
            await asyncio.sleep(0.01)

    def blocking() -> None:
        with Client("127.0.0.1", port) as client:
            stream = client.stream("terrain.chunks", **RING | {"radius": 15, "seed": 9})
            assert next(stream)["index"] == 0
            stream.close()
            while client.call("server.health")["queue_depth"]:
                pass

    await asyncio.to_thread(blocking)


async def test_an_invalid_chunk_is_an_error_before_any_is_sent(port: int, runtime: Local) -> None:
    async with await AsyncClient.connect("127.0.0.1", port) as client:
        with pytest.raises(RpcError, match="size 0"):
            await anext(client.stream("terrain.chunks", **RING | {"size": 0}))
        with pytest.raises(RpcError, match="did you mean 'around'"):
            await client.call("terrain.chunks", seed=1, arround=[0, 0])
    with pytest.raises(RpcError, match="does not stream"):
        next(runtime.stream("terrain.chunk", seed=1))
