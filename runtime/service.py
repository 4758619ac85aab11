"""The method table: for each name, what checks its parameters and what makes its result."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from runtime import card as cards
from runtime.calls import Caller
from runtime.content.characters import monsters
from runtime.content.characters import sheet as characters
from runtime.content.levels import generate, solving
from runtime.content.levels import requests as level_requests
from runtime.content.terrain import chunks, regions, rivers, sketches
from runtime.content.terrain import requests as terrain
from runtime.content.terrain.ground import LearnedControl
from runtime.content.terrain.streams import CoarseStreams
from runtime.engine import Engine
from runtime.errors import Code, RpcError, nearest
from runtime.parameters import parse, take_options
from runtime.registry import ModelFile, Registry
from runtime.scheduling import streaming
from runtime.scheduling.dispatcher import Dispatcher
from runtime.scheduling.results import DiskCache, MemoryCache
from runtime.scheduling.work import Search, Work, key_of, of_land, of_model
from runtime.scheduling.workers import Workers
from runtime.version import VERSION
from runtime.wire.protocol import Packed, pack

PROTOCOL_VERSION = 1
NAME = "pcg-runtime"
_IN_BATCHES = {level_requests.FAMILY}  # families whose calls may run in batches; for terrain, batches are not faster


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


class Service:
    """Runs methods by name. Methods that need no model give their result at once, the others through the dispatcher."""

    def __init__(self, registry: Registry, engine: Engine, dispatcher: Dispatcher | None = None) -> None:
        self.registry, self.engine = registry, engine
        self._dispatcher = Dispatcher(engine) if dispatcher is None else dispatcher
        self._started = time.monotonic()
        self._learned, self._regions, self._streams = LearnedControl(), regions.Regions(), CoarseStreams()
        self._quick: dict[str, Callable[[dict[str, Any]], Any]] = {
            "server.hello": self._hello,
            "server.health": self._health,
            "models.list": self._list,
            "models.describe": self._describe,
        }
        # These check their parameters at once; the work they return waits in a queue.
        self._scheduled: dict[str, Callable[[dict[str, Any]], Work | Search]] = {
            "terrain.chunk": self._terrain_chunk,
            "terrain.sketch": self._terrain_sketch,
            "terrain.rivers": self._terrain_rivers,
            "characters.sheet": self._characters_sheet,
            "characters.monster": self._characters_monster,
            "levels.generate": self._levels_generate,
            "levels.solve": self._levels_solve,
        }
        # Those of them that report their progress if the request says `stream`.
        self._reporting: dict[str, Callable[[dict[str, Any], streaming.Report], Search]] = {
            "levels.generate": self._levels_generate,
            "levels.solve": self._levels_solve,
        }
        # Methods of several works; the result of each is an item of this name.
        self._streamed: dict[str, tuple[str, Callable[[dict[str, Any]], list[Work | Search]]]] = {
            "terrain.chunks": ("chunk", self._terrain_chunks),
        }

    @property
    def methods(self) -> list[str]:
        """All method names."""
        return [*self._quick, *self._scheduled, *self._streamed]

    @property
    def ready(self) -> bool:
        """Whether all models are loaded and proved, so that requests need not wait for that."""
        return len(self._loaded()) == len(self.registry.models) > 0

    def _loaded(self) -> list[str]:
        return [name for name, model in self.registry.models.items() if self.engine.is_proved(model)]

    def queue_depths(self) -> dict[str, int]:
        """How many calls wait, for each queue that is not empty."""
        return self._dispatcher.depths()

    def caches(self) -> dict[str, MemoryCache | DiskCache]:
        """The result caches, by the name of the tier."""
        disk = self._dispatcher.disk
        return {"memory": self._dispatcher.cache} | ({} if disk is None else {"disk": disk})

    @property
    def workers(self) -> Workers | None:
        """The processes for searches, if there are any."""
        return self._dispatcher.workers

    @property
    def cache_misses(self) -> int:
        """How many calls found their result in no cache."""
        return self._dispatcher.misses

    def warm_up(self, stop: threading.Event | None = None) -> None:
        """Load every model and prove it (compute its golden vectors). Returns soon after `stop` is set.

        A model that fails is refused with the reason; the others are served. A request that comes meanwhile loads and
        proves its model itself. Terrain comes first, since games show it first. Starting the workers and measuring the
        batch sizes come last, since requests need not wait for them.
        """
        stop = stop or threading.Event()
        regions.warm_up()
        models = sorted(self.registry.models.values(), key=lambda model: model.card.family != terrain.FAMILY)
        for model in models:
            if stop.is_set():
                return
            try:
                self.engine.submit(self.engine.load, model).result()
            except RpcError as error:
                self.registry.withdraw(model, error.message)
        if self.workers is not None:
            self.workers.start()
        for model in self.registry.models.values():
            if stop.is_set():
                return
            self._choose_batching(model)

    def reload(self) -> bool:
        """Load the models folder again if it has changed; returns whether the models changed. Not in the event loop.

        Requests that were accepted before keep their model. Errors are those of `Registry.reload`.
        """
        return self.registry.reload(self._prove)

    def _prove(self, model: ModelFile) -> None:
        self.engine.submit(self.engine.load, model).result()
        self._choose_batching(model)

    def _choose_batching(self, model: ModelFile) -> None:
        if model.card.family in _IN_BATCHES:
            self.engine.submit(self.engine.choose_batching, model).result()

    def call(self, method: str, params: dict[str, Any], *, connection: Caller) -> Packed | asyncio.Future[Packed]:
        """The packed result of one call, or a future of it. Cancel the future to give up the call.

        Args:
            method: the method's name.
            params: its parameters, and the options.
            connection: where the request came from.

        Raises:
            RpcError: what was wrong; OVERLOADED where too many wait already. In the future also DEADLINE_EXCEEDED.
        """
        options, params = take_options(params)
        if quick := self._quick.get(method):
            return pack(quick(params))
        start = functools.partial(self._dispatcher.start, options=options, flow=connection.flow)
        if method in self._streamed:
            name, works = self._streamed[method]
            response = streaming.respond(works(params), name, options, start, connection.notify, connection.flow)
            return asyncio.ensure_future(response)
        if options.stream and method in self._reporting:
            make = functools.partial(self._reporting[method], params)
            return asyncio.ensure_future(streaming.reporting(make, start, connection.notify))
        return start(self._work(method, params))

    def call_blocking(self, method: str, params: dict[str, Any], report: streaming.Report | None = None) -> Any:
        """As `call`, without an event loop and without packing. Nothing is streamed, whatever `stream` says.

        Args:
            method: the method's name.
            params: its parameters, and the options.
            report: called in another thread with how much is done of how much, by methods that report progress.
        """
        options, params = take_options(params)
        if quick := self._quick.get(method):
            return quick(params)
        if method in self._streamed:
            name, works = self._streamed[method]
            results = [self._dispatcher.run(work, options) for work in works(params)]
            return {"count": len(results), f"{name}s": results}
        if report is not None and method in self._reporting:
            return self._dispatcher.run(self._reporting[method](params, report), options)
        return self._dispatcher.run(self._work(method, params), options)

    def stream_blocking(self, method: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The items of a method that streams; each is made when it is asked for."""
        options, params = take_options(params)
        if method not in self._streamed:
            raise RpcError(Code.METHOD_NOT_FOUND, f"{method!r:.80} does not stream{self._nearest(method)}")
        name, works = self._streamed[method]
        for index, work in enumerate(works(params)):
            yield {"index": index, name: self._dispatcher.run(work, options)}

    def close(self) -> None:
        """Fail calls that wait with SHUTTING_DOWN, finish those that run, stop the engine."""
        self._dispatcher.close()

    def _work(self, method: str, params: dict[str, Any]) -> Work | Search:
        if method not in self._scheduled:
            raise RpcError(Code.METHOD_NOT_FOUND, f"unknown method {method!r:.80}{self._nearest(method)}")
        return self._scheduled[method](params)

    def _nearest(self, method: str) -> str:
        return nearest(method, self.methods)

    def _hello(self, params: dict[str, Any]) -> dict[str, Any]:
        parse(params, Hello)
        return {
            "protocol": PROTOCOL_VERSION,
            "server": NAME,
            "version": VERSION,
            "capabilities": self.methods,
        }

    def _health(self, params: dict[str, Any]) -> dict[str, Any]:
        parse(params, Nothing)
        return {
            "ready": self.ready,
            "models": self._loaded(),
            "refused": dict(self.registry.refused),
            "queue_depth": self._dispatcher.busy,
            "queues": self.queue_depths(),
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

    def _terrain_chunk(self, params: dict[str, Any]) -> Work | Search:
        request = parse(params, terrain.TerrainRequest)
        model = self.registry.find(request.model)
        checked = terrain.check(request, model)
        run = functools.partial(terrain.chunk, self.engine, self._learned, self._regions, checked)
        return of_land(model, "terrain.chunk", request, run, checked.slow)

    def _terrain_chunks(self, params: dict[str, Any]) -> list[Work | Search]:
        request = parse(params, chunks.ChunksRequest)
        return [self._terrain_chunk(chunk) for chunk in chunks.chunks(request)]

    def _terrain_sketch(self, params: dict[str, Any]) -> Work | Search:
        request = parse(params, sketches.SketchRequest)
        model = self.registry.find(request.model)
        checked = sketches.check(request, model)
        run = functools.partial(sketches.sketch, self.engine, self._regions, checked)
        return of_land(model, "terrain.sketch", checked.canonical, run, checked.slow)

    def _terrain_rivers(self, params: dict[str, Any]) -> Work | Search:
        request = parse(params, rivers.RiversRequest)
        model = self.registry.find(request.model)
        checked = rivers.check(request, model)
        run = functools.partial(rivers.rivers, self.engine, self._learned, self._streams, checked)
        return of_land(model, "terrain.rivers", request, run, slow=True)

    def _characters_sheet(self, params: dict[str, Any]) -> Work:
        order = characters.check(parse(params, characters.SheetRequest), self.registry)
        key = msgspec.msgpack.encode(["characters.sheet", order.canonical])
        return Work(order.walk_model.card.name, key, functools.partial(characters.sheet, self.engine, order))

    def _characters_monster(self, params: dict[str, Any]) -> Work:
        request = parse(params, monsters.MonsterRequest)
        model = monsters.check(request, self.registry)
        run = functools.partial(monsters.monsters, self.engine, model, request)
        return of_model(model, "characters.monster", request, run)

    def _levels_generate(self, params: dict[str, Any], report: streaming.Report | None = None) -> Search:
        request = parse(params, level_requests.GenerateRequest)
        model, wishes = generate.check(request, self.registry)
        key = key_of(model, "levels.generate", request)
        return Search(
            "levels.generate", key, lambda executor: generate.generate(executor, model, wishes, request, report)
        )

    def _levels_solve(self, params: dict[str, Any], report: streaming.Report | None = None) -> Search:
        game, request = solving.check(parse(params, solving.SolveRequest), self.registry)
        key = msgspec.msgpack.encode(["levels.solve", request, game.legend])
        return Search("levels.solve", key, lambda executor: solving.search(executor, game, request, report))
