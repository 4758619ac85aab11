"""The method table: each name, what checks its parameters, and what answers it."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import msgspec

from runtime import arrays
from runtime import card as cards
from runtime.cache import Cache, DiskCache
from runtime.content import terrain
from runtime.content.ground import LearnedControl
from runtime.content.levels import solving
from runtime.content.regions import Regions
from runtime.engine import Engine
from runtime.errors import Code, RpcError, did_you_mean
from runtime.parameters import Options, parse, take_options
from runtime.protocol import Packed, pack
from runtime.registry import ModelFile, Registry
from runtime.scheduler import MAX_QUEUED, Call, Flow, Priority, Scheduler, Work

PROTOCOL_VERSION = 1
NAME = "pcg-runtime"


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of server.hello."""

    client: str = ""
    version: str = ""
    token: str = ""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Name(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of models.describe."""

    name: str


def package_version() -> str:
    """The installed version, or "unknown" from a source tree that was never installed."""
    try:
        return version("pcg-plugin")
    except PackageNotFoundError:
        return "unknown"


class Caller(Protocol):
    """Whoever a call comes from: a connection."""

    @property
    def flow(self) -> Flow:
        """What its calls count to."""


class Service:
    """Answers calls by name. What needs no model is answered at once, the rest by the scheduler.

    `max_queued`: calls that may wait in one model's queue, of one priority. Results of `call` are kept in `cache`, and
    in `disk` if there is one.
    """

    def __init__(
        self,
        registry: Registry,
        engine: Engine,
        *,
        max_queued: int = MAX_QUEUED,
        cache: Cache | None = None,
        disk: DiskCache | None = None,
    ) -> None:
        self.registry, self.engine = registry, engine
        self._cache = Cache() if cache is None else cache
        self._disk = disk
        self._started = time.monotonic()
        self._learned, self._regions = LearnedControl(), Regions()
        self._scheduler = Scheduler(
            engine.submit,
            lambda job: engine.run_while_wanted(job.work.run, lambda: job.abandoned),
            max_queued=max_queued,
        )
        self._quick: dict[str, Callable[[dict[str, Any]], Any]] = {
            "server.hello": self._hello,
            "server.health": self._health,
            "models.list": self._list,
            "models.describe": self._describe,
        }
        # These check their parameters at once; the work that is left waits for its turn.
        self._scheduled: dict[str, Callable[[dict[str, Any]], Work]] = {
            "terrain.chunk": self._terrain_chunk,
            "terrain.sketch": self._terrain_sketch,
            "levels.solve": self._levels_solve,
        }

    @property
    def methods(self) -> list[str]:
        """All method names."""
        return [*self._quick, *self._scheduled]

    def warm_up(self) -> None:
        """Load every model and prove it; a model that fails is refused with its reason, the others go on."""
        for name, model in list(self.registry.models.items()):
            try:
                self.engine.submit(self.engine.load, model).result()
            except RpcError as error:
                del self.registry.models[name]
                self.registry.refused[name] = error.message

    def call(self, method: str, params: dict[str, Any], *, connection: Caller) -> Packed | asyncio.Future[Packed]:
        """The result of one call of a connection, or a future of it. Cancelled, it gives its place up.

        Raises:
            RpcError: what was wrong; OVERLOADED where too many wait already. In the future also DEADLINE_EXCEEDED.
        """
        options, params = take_options(params)
        if quick := self._quick.get(method):
            return pack(quick(params))
        work = self._work(method, params)
        if (kept := self._cache.get(work.key)) is not None:
            return kept
        if self._disk is not None and work.key in self._disk:
            return asyncio.ensure_future(self._read(self._disk, work, options, connection.flow))
        return self._begin(work, options, connection.flow)

    def call_blocking(self, method: str, params: dict[str, Any]) -> Any:
        """As `call`, without an event loop; each call is a flow of its own."""
        options, params = take_options(params)
        if quick := self._quick.get(method):
            return quick(params)
        call = self._submit(self._work(method, params), options, Flow())
        try:
            return call.future.result(call.deadline_s)
        except TimeoutError:
            call.expire()
            return call.future.result()

    def close(self) -> None:
        """Answer what waits with SHUTTING_DOWN, finish what runs, stop the engine."""
        self._scheduler.close()
        self.engine.close()
        if self._disk is not None:
            self._disk.close()

    def _work(self, method: str, params: dict[str, Any]) -> Work:
        if method not in self._scheduled:
            near = did_you_mean(method, self.methods) or f"; there are: {', '.join(self.methods)}"
            raise RpcError(Code.METHOD_NOT_FOUND, f"unknown method {method!r:.80}{near}")
        return self._scheduled[method](params)

    def _begin(self, work: Work, options: Options, flow: Flow) -> asyncio.Future[Packed]:
        """A future of the packed result of work that is put in its queue; it is kept when it is done."""
        call = self._submit(Work(work.queue, b"packed" + work.key, lambda: self._make(work)), options, flow)
        answer = asyncio.wrap_future(call.future)
        if call.deadline_s is not None:
            timer = asyncio.get_running_loop().call_later(call.deadline_s, call.expire)
            answer.add_done_callback(lambda _: timer.cancel())
        return answer

    def _make(self, work: Work) -> Packed:
        result = pack(arrays.to_wire(work.run()))
        self._cache.put(work.key, result)
        if self._disk is not None:
            self._disk.write(work.key, result)
        return result

    async def _read(self, disk: DiskCache, work: Work, options: Options, flow: Flow) -> Packed:
        """The result from the disk, or made again if it can't be read."""
        result = await asyncio.wrap_future(disk.read(work.key))
        if result is None:
            return await self._begin(work, options, flow)
        self._cache.put(work.key, result)
        return result

    def _submit(self, work: Work, options: Options, flow: Flow) -> Call:
        deadline_s = None if options.deadline_ms is None else options.deadline_ms / 1000
        return self._scheduler.submit(work, flow, Priority[options.priority.upper()], deadline_s)

    def _hello(self, params: dict[str, Any]) -> dict[str, Any]:
        parse(params, Hello)
        return {
            "protocol": PROTOCOL_VERSION,
            "server": NAME,
            "version": package_version(),
            "capabilities": self.methods,
        }

    def _health(self, params: dict[str, Any]) -> dict[str, Any]:
        parse(params, Nothing)
        ready = self.engine.loaded
        loaded = [m.card.name for m in self.registry.models.values() if m.sha256 in ready]
        return {
            "ready": len(loaded) == len(self.registry.models) > 0,
            "models": loaded,
            "refused": dict(self.registry.refused),
            "queue_depth": self._scheduler.busy,
            "queues": self._scheduler.depths(),
            "uptime_s": round(time.monotonic() - self._started, 3),
            "device": str(self.engine.device),
        }

    def _list(self, params: dict[str, Any]) -> dict[str, Any]:
        parse(params, Nothing)
        models = [
            {
                "name": m.card.name,
                "version": m.card.version,
                "family": m.card.family,
                "description": m.card.description,
                "licence": m.card.licence,
                "sha256": m.sha256,
                "bytes": len(m.data),
            }
            for m in self.registry.models.values()
        ]
        return {"models": models, "refused": dict(self.registry.refused)}

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        model = self.registry.find(parse(params, Name).name)
        return {"sha256": model.sha256, "card": cards.to_dict(model.card)}

    def _terrain_chunk(self, params: dict[str, Any]) -> Work:
        request = parse(params, terrain.TerrainRequest)
        model = self.registry.find(request.model)
        terrain.check(request, model)
        run = functools.partial(terrain.chunk, self.engine, self._learned, self._regions, model, request)
        return work(model, "terrain.chunk", request, run)

    def _terrain_sketch(self, params: dict[str, Any]) -> Work:
        request = parse(params, terrain.SketchRequest)
        model = self.registry.find(request.model)
        control = terrain.check_sketch(request, model)
        canonical = msgspec.structs.replace(request, control=[control.shape, terrain.digest(control)])
        run = functools.partial(terrain.sketch, self.engine, self._regions, model, request, control)
        return work(model, "terrain.sketch", canonical, run)

    def _levels_solve(self, params: dict[str, Any]) -> Work:
        request = solving.check(parse(params, solving.SolveRequest))
        key = msgspec.msgpack.encode(["levels.solve", request])
        return Work("levels.solve", key, functools.partial(solving.solve, request))


def work(model: ModelFile, method: str, canonical: msgspec.Struct, run: Callable[[], Any]) -> Work:
    """Work for one model. `canonical`: the checked parameters with their defaults, as MessagePack holds them."""
    return Work(model.card.name, msgspec.msgpack.encode([method, model.sha256, canonical]), run)
