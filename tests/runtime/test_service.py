"""The method table, over the bundled world in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from model_files import card, write_model

from runtime import card as cards
from runtime.card import Golden
from runtime.content.terrain import regions
from runtime.errors import Code, RpcError
from runtime.local import Local
from runtime.parameters import Options
from runtime.scheduling.dispatcher import Dispatcher
from runtime.scheduling.jobs import Flow
from runtime.scheduling.results import DiskCache
from runtime.scheduling.searches import InEngine
from runtime.scheduling.work import Search, Work
from runtime.service import Service
from runtime.wire import arrays
from runtime.wire.protocol import Packed


@pytest.fixture(scope="module")
def runtime():
    with Local(device="cpu") as runtime:
        yield runtime


def fault(runtime: Local, method: str, **params: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        runtime.call(method, **params)
    return caught.value


def test_a_chunk(runtime: Local) -> None:
    chunk = runtime.call("terrain.chunk", seed=7, x=0, y=0)
    assert chunk["height"].dtype == np.uint16
    assert chunk["height"].shape == (256, 256)
    assert (chunk["scale"], chunk["offset"], chunk["meters_per_pixel"]) == (0.25, -4096.0, 90.0)
    metres = chunk["height"] * chunk["scale"] + chunk["offset"]
    assert -4096 < metres.min() < metres.max() < 12287


def test_overlapping_chunks_agree_exactly(runtime: Local) -> None:
    whole = runtime.call("terrain.chunk", seed=9, x=-300, y=2**40, size=130)["height"]
    part = runtime.call("terrain.chunk", seed=9, x=-270, y=2**40 + 33, size=80)["height"]
    assert np.array_equal(whole[33:113, 30:110], part)


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({}, Code.INVALID_PARAMS, "seed"),
        ({"seed": "x"}, Code.INVALID_PARAMS, "seed 'x'"),
        ({"seed": 1.5}, Code.INVALID_PARAMS, "seed 1.5"),
        ({"seed": True}, Code.INVALID_PARAMS, "seed True"),
        ({"seed": -1}, Code.OUT_OF_RANGE, "seed -1"),
        ({"seed": 2**53}, Code.OUT_OF_RANGE, "9007199254740992"),
        ({"seed": 1, "size": 0}, Code.OUT_OF_RANGE, "size 0 is out of range; terrain-detail takes 1 to 2049"),
        ({"seed": 1, "size": 100000}, Code.OUT_OF_RANGE, "size 100000"),
        ({"seed": 1, "x": 2**60}, Code.OUT_OF_RANGE, "x 1152921504606846976"),
        ({"seed": 1, "y": 2**70}, Code.OUT_OF_RANGE, "y "),
        ({"seed": 1, "lod": 5}, Code.OUT_OF_RANGE, "lod 5 is out of range; terrain-detail takes 0 to 4"),
        ({"seed": 1, "lod": -1}, Code.OUT_OF_RANGE, "lod -1"),
        ({"seed": 1, "sise": 4}, Code.INVALID_PARAMS, "did you mean 'size'"),
        ({"seed": 1, "layers": ["hight"]}, Code.INVALID_PARAMS, "did you mean 'height'"),
        ({"seed": 1, "layers": []}, Code.INVALID_PARAMS, "layers is empty"),
        ({"seed": 1, "layers": "height"}, Code.INVALID_PARAMS, "layers 'height'"),
        ({"seed": 1, "control": "perlin"}, Code.INVALID_PARAMS, "perlin"),
        ({"seed": 1, "control": "gradient"}, Code.INVALID_PARAMS, "gradient"),
        ({"seed": 1, "style": "apline"}, Code.INVALID_PARAMS, "did you mean 'alpine'"),
        ({"seed": 1, "style": 3}, Code.INVALID_PARAMS, "style 3"),
        ({"seed": 1, "model": "terain-detail"}, Code.MODEL_NOT_FOUND, "did you mean 'terrain-detail'"),
    ],
)
def test_bad_parameters_are_named(runtime: Local, params: dict[str, Any], code: Code, words: str) -> None:
    error = fault(runtime, "terrain.chunk", **params)
    assert error.code is code
    assert words in error.message


def test_unknown_methods_get_a_suggestion(runtime: Local) -> None:
    error = fault(runtime, "terrain.chunck")
    assert error.code is Code.METHOD_NOT_FOUND
    assert "did you mean 'terrain.chunk'" in error.message


def test_a_bad_model_does_not_keep_the_good_ones_from_serving(tmp_path: Path) -> None:
    write_model(tmp_path, "good")
    write_model(tmp_path, "bad", cards.encode(card(name="bad", golden=[Golden("forward", [[1]], "0" * 64)])))
    with Local(tmp_path, device="cpu") as runtime:
        runtime.service.warm_up()
        health = runtime.call("server.health")
        assert health["models"] == ["doubler"]
        assert "golden" in health["refused"]["bad"]
        error = fault(runtime, "terrain.chunk", seed=1, model="doubler")
        assert error.code is Code.INVALID_PARAMS
        assert "makes test, not terrain" in error.message
        assert fault(runtime, "models.describe", name="bad").code is Code.MODEL_REFUSED


def test_a_new_regions_water_keeps_nobody_waiting(runtime: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, gate = threading.Event(), threading.Event()
    compute = regions._water

    def held(*arguments: Any) -> Any:
        begun.set()
        assert gate.wait(60)
        return compute(*arguments)

    monkeypatch.setattr(regions, "_water", held)
    place = {"seed": 31, "x": 5000, "y": -7000, "size": 40}
    with ThreadPoolExecutor(1) as thread:
        wet = thread.submit(runtime.call, "terrain.chunk", layers=["water", "flow"], **place)
        assert begun.wait(60)
        dry = runtime.call("terrain.chunk", **place)
        assert dry["height"].shape == (40, 40)
        assert not wet.done()
        gate.set()
        found = wet.result(60)
    search = new_service(runtime)._work("terrain.chunk", {"layers": ["water", "flow"], **place})
    assert isinstance(search, Search)
    in_engine = runtime.service.engine.submit(search.run, InEngine(runtime.service.engine)).result()
    for layer in ("water", "flow"):
        assert np.array_equal(found[layer], in_engine[layer])


def test_slow_requests_run_outside_the_engine_thread(runtime: Local) -> None:
    service, place = new_service(runtime), {"seed": 32, "x": 512, "y": 512, "size": 512}
    assert isinstance(service._work("terrain.chunk", place), Work)
    assert isinstance(service._work("terrain.chunk", place | {"layers": ["height", "normal", "slope"]}), Work)
    assert isinstance(service._work("terrain.chunk", place | {"layers": ["flow"]}), Search)
    assert isinstance(service._work("terrain.chunk", place | {"size": 513}), Search)
    assert isinstance(service._work("terrain.rivers", {"seed": 32, "width": 64, "height": 64}), Search)


def test_a_sketch_too_large_for_a_tile_goes_on_beside_the_engine(runtime: Local) -> None:
    service, control = new_service(runtime), np.full((40, 40), 100.0, np.float32)
    large = service._work("terrain.sketch", {"seed": 1, "control": control})
    assert isinstance(large, Search)
    part = {"x": 500, "y": 100, "width": 60, "height": 60}
    small = service._work("terrain.sketch", {"seed": 1, "control": control, **part})
    assert isinstance(small, Work)
    options = Options()
    whole, cut = service._dispatcher.run(large, options)["height"], service._dispatcher.run(small, options)["height"]
    assert np.array_equal(whole[100:160, 500:560], cut)


class Caller:
    def __init__(self) -> None:
        self.flow = Flow()


def new_service(runtime: Local, **options: Any) -> Service:
    """Another service of the same models."""
    engine = runtime.service.engine
    return Service(runtime.service.registry, engine, Dispatcher(engine, **options))


@pytest.fixture
def held(runtime: Local) -> Iterator[threading.Event]:
    """The engine busy until the event is set."""
    gate = threading.Event()
    runtime.service.engine.submit(gate.wait, 30)
    yield gate
    gate.set()


async def test_overload_is_said_and_cancelled_work_is_not_done(runtime: Local, held: threading.Event) -> None:
    service, caller = new_service(runtime, max_queued=1), Caller()
    queued = service.call("terrain.chunk", {"seed": 1, "size": 8}, connection=caller)
    health = service.call_blocking("server.health", {})
    assert (health["queue_depth"], health["queues"]) == (1, {"terrain-detail": 1})
    with pytest.raises(RpcError) as caught:
        service.call("terrain.chunk", {"seed": 2, "size": 8}, connection=caller)
    assert caught.value.code is Code.OVERLOADED
    assert caught.value.details["retry_after_ms"] > 0
    with pytest.raises(RpcError, match="size 0"):  # told at once, however long the queue
        service.call("terrain.chunk", {"seed": 1, "size": 0}, connection=caller)
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await queued
    while service.call_blocking("server.health", {})["queue_depth"]:
        await asyncio.sleep(0)
    held.set()
    made = await service.call("terrain.chunk", {"seed": 1, "size": 8}, connection=caller)
    assert arrays.from_wire(msgpack.unpackb(made.data))["height"].shape == (8, 8)


@pytest.mark.usefixtures("held")
async def test_a_deadline_ends_a_call_that_waits(runtime: Local) -> None:
    with pytest.raises(RpcError, match="within the 20 ms") as caught:
        await runtime.service.call("terrain.chunk", {"seed": 1, "size": 8, "deadline_ms": 20}, connection=Caller())
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    assert fault(runtime, "terrain.chunk", seed=1, size=8, deadline_ms=20).code is Code.DEADLINE_EXCEEDED
    assert runtime.call("server.health")["queue_depth"] == 0


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("terrain.chunk", {}, "seed is missing; it is required"),
        ("models.describe", {}, "name is missing; it is required"),
        ("terrain.chunk", {"seed": 1, "control": "drawn"}, "control 'drawn': it must be one of: learned, noise"),
        ("terrain.chunk", {"seed": 1.5}, "seed 1.5: expected `int`, got `float`"),
        ("terrain.chunk", {"seed": np.zeros(2)}, "seed was given as an array; it takes none"),
        ("levels.generate", {"seed": 1, "counts": np.zeros(2)}, "counts was given as an array; it takes none"),
    ],
)
def test_an_error_message_says_what_would_be_valid(
    runtime: Local, method: str, params: dict[str, Any], message: str
) -> None:
    error = fault(runtime, method, **params)
    assert error.code is Code.INVALID_PARAMS
    assert error.message == message
    assert error.details == {"parameter": message.split()[0]}


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"deadline_ms": 0}, Code.OUT_OF_RANGE, "deadline_ms 0 is not in 1.."),
        ({"deadline_ms": "soon"}, Code.INVALID_PARAMS, "deadline_ms 'soon'"),
        ({"priority": "urgent"}, Code.INVALID_PARAMS, "priority 'urgent': it must be one of: high, normal, low"),
        ({"priority": 1}, Code.INVALID_PARAMS, "priority 1"),
    ],
)
def test_bad_options_are_named(runtime: Local, options: dict[str, Any], code: Code, words: str) -> None:
    for method in ("terrain.chunk", "server.health"):
        error = fault(runtime, method, seed=1, size=8, **options)
        assert error.code is code
        assert words in error.message


def test_options_do_not_change_the_result(runtime: Local) -> None:
    plain = runtime.call("terrain.chunk", seed=1, size=8)
    hurried = runtime.call("terrain.chunk", seed=1, size=8, deadline_ms=60_000, priority="high")
    assert np.array_equal(plain.pop("height"), hurried.pop("height"))
    assert plain == hurried


def test_equal_requests_are_equal_work_and_others_are_not(runtime: Local) -> None:
    def key(method: str, **params: Any) -> bytes:
        return runtime.service._scheduled[method](params).key

    chunk = key("terrain.chunk", seed=1)
    assert chunk == key("terrain.chunk", style="varied", x=0, seed=1, layers=["height"])
    others = [{"seed": 2}, {"seed": 1, "x": 1}, {"seed": 1, "size": 255}, {"seed": 1, "layers": ["height", "slope"]}]
    assert len({chunk, *(key("terrain.chunk", **params) for params in others)}) == 5
    flat, hill = np.zeros((4, 4), np.float32), np.eye(4, dtype=np.float32)
    sketches = [key("terrain.sketch", seed=1, control=c) for c in (flat, flat.copy(), hill, flat[:, :2], flat[:2])]
    assert sketches[0] == sketches[1]
    assert len(set(sketches)) == 4


def test_hello_health_and_models(runtime: Local) -> None:
    runtime.service.warm_up()
    hello = runtime.call("server.hello", client="test", version="1")
    assert hello["protocol"] == 1
    assert {"terrain.chunk", "terrain.sketch", "terrain.rivers"} <= set(hello["capabilities"])
    health = runtime.call("server.health")
    assert health["ready"]
    assert health["models"] == [
        "character-front",
        "character-walk",
        "level-dungeon",
        "level-platformer",
        "level-runner",
        "level-sokoban",
        "monster",
        "terrain-detail",
    ]
    assert [listed["name"] for listed in runtime.call("models.list")["models"]] == health["models"]
    card = runtime.call("models.describe", name="terrain-detail")["card"]
    assert card["parameters"]["size"]["maximum"] == 2049
    assert fault(runtime, "models.describe", name="x").code is Code.MODEL_NOT_FOUND
    assert "it takes none" in fault(runtime, "server.health", verbose=True).message


# Results that are kept


@pytest.fixture
def runs(runtime: Local, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods that models have been run by since the test began."""
    runs: list[str] = []
    run = runtime.service.engine.run

    def noted(model: Any, method: str, *arguments: Any) -> Any:
        runs.append(method)
        return run(model, method, *arguments)

    monkeypatch.setattr(runtime.service.engine, "run", noted)
    return runs


async def answer(service: Service, **params: Any) -> Packed:
    given = service.call("terrain.chunk", params, connection=Caller())
    return given if isinstance(given, Packed) else await given


async def test_a_result_is_made_once_and_then_cached(runtime: Local, runs: list[str]) -> None:
    service = new_service(runtime)
    first = await answer(service, seed=11, size=8)
    assert runs
    runs.clear()
    again = service.call("terrain.chunk", {"size": 8, "x": 0, "seed": 11, "priority": "low"}, connection=Caller())
    assert again is first
    assert await answer(service, seed=12, size=8) != first
    assert runs


async def test_a_result_cached_on_disk_outlives_the_service(runtime: Local, runs: list[str], tmp_path: Path) -> None:
    disk = DiskCache(tmp_path)
    before = new_service(runtime, disk=disk)
    first = await answer(before, seed=13, size=8)
    disk.close()
    runs.clear()
    assert await answer(new_service(runtime, disk=DiskCache(tmp_path)), seed=13, size=8) == first
    assert not runs
    for path in tmp_path.rglob("*.result"):
        path.write_bytes(b"damaged")
    after = new_service(runtime, disk=DiskCache(tmp_path))
    assert await answer(after, seed=13, size=8) == first
    assert runs
    assert after.call("terrain.chunk", {"seed": 13, "size": 8}, connection=Caller()) == first


async def test_errors_are_not_cached(runtime: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    service = new_service(runtime)
    with monkeypatch.context() as patch:
        patch.setattr(runtime.service.engine, "run", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await answer(service, seed=14, size=8)
    assert await answer(service, seed=14, size=8)
