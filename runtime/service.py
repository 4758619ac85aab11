"""The method table: each name, what checks its parameters, and what answers it."""

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
from runtime.content.levels import requests as asking
from runtime.content.terrain import chunks, regions, rivers, windows
from runtime.content.terrain import requests as terrain
from runtime.content.terrain.ground import LearnedControl
from runtime.content.terrain.streams import CoarseStreams
from runtime.engine import Engine
from runtime.errors import Code, RpcError, did_you_mean
from runtime.parameters import parse, take_options
from runtime.registry import ModelFile, Registry
from runtime.scheduling import streaming
from runtime.scheduling.dispatcher import Runner
from runtime.scheduling.results import Cache, DiskCache
from runtime.scheduling.work import Search, Work, key_of, of_land, of_model
from runtime.scheduling.workers import Workers
from runtime.version import VERSION
from runtime.wire.protocol import Packed, pack

PROTOCOL_VERSION = 1
NAME = "pcg-runtime"
_IN_BATCHES = {asking.FAMILY}  # whose models' runs may be joined; of terrain large enough to be asked for, none pay


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
    """Answers calls by name. What needs no model is answered at once, the rest by the runner."""

    def __init__(self, registry: Registry, engine: Engine, runner: Runner | None = None) -> None:
        self.registry, self.engine = registry, engine
        self._runner = Runner(engine) if runner is None else runner
        self._started = time.monotonic()
        self._learned, self._regions, self._streams = LearnedControl(), regions.Regions(), CoarseStreams()
        self._quick: dict[str, Callable[[dict[str, Any]], Any]] = {
            "server.hello": self._hello,
            "server.health": self._health,
            "models.list": self._list,
            "models.describe": self._describe,
        }
        # These check their parameters at once; the work that is left waits for its turn.
        self._scheduled: dict[str, Callable[[dict[str, Any]], Work | Search]] = {
            "terrain.chunk": self._terrain_chunk,
            "terrain.sketch": self._terrain_sketch,
            "terrain.rivers": self._terrain_rivers,
            "characters.sheet": self._characters_sheet,
            "characters.monster": self._characters_monster,
            "levels.generate": self._levels_generate,
            "levels.solve": self._levels_solve,
        }
        # Of these, those that tell how far they are where `stream` is asked for.
        self._reporting: dict[str, Callable[[dict[str, Any], streaming.Report], Search]] = {
            "levels.generate": self._levels_generate,
            "levels.solve": self._levels_solve,
        }
        # Of several works; what each gives is an item of this name.
        self._streamed: dict[str, tuple[str, Callable[[dict[str, Any]], list[Work | Search]]]] = {
            "terrain.chunks": ("chunk", self._terrain_chunks),
        }

    @property
    def methods(self) -> list[str]:
        """All method names."""
        return [*self._quick, *self._scheduled, *self._streamed]

    @property
    def ready(self) -> bool:
        """Whether requests that need a model are answered."""
        return len(self._loaded()) == len(self.registry.models) > 0

    def _loaded(self) -> list[str]:
        return [name for name, model in self.registry.models.items() if self.engine.is_proved(model)]

    def queue_depths(self) -> dict[str, int]:
        """How many calls wait in each queue that has any."""
        return self._runner.depths()

    def caches(self) -> dict[str, Cache | DiskCache]:
        """Where results are kept, by the name of the tier."""
        disk = self._runner.disk
        return {"memory": self._runner.cache} | ({} if disk is None else {"disk": disk})

    @property
    def workers(self) -> Workers | None:
        """The processes that search, if there are any."""
        return self._runner.workers

    @property
    def cache_misses(self) -> int:
        """Calls whose result was kept nowhere."""
        return self._runner.misses

    def warm_up(self, stop: threading.Event | None = None) -> None:
        """Load every model and prove it; a model that fails is refused with its reason, the others go on. Returns soon
        after `stop` is set.

        A request that comes meanwhile proves the model that it needs itself, in its turn. Terrain is first, since that
        is what a game shows first. The workers start last, and what is run together is measured last: neither keeps a
        request waiting.
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
        """Serve what is in the models folder now, if that has changed; whether it has. Not in the event loop.

        Requests that were taken before keep the model they were taken for. Errors as `Registry.reload`.
        """
        return self.registry.reload(self._prove)

    def _prove(self, model: ModelFile) -> None:
        self.engine.submit(self.engine.load, model).result()
        self._choose_batching(model)

    def _choose_batching(self, model: ModelFile) -> None:
        if model.card.family in _IN_BATCHES:
            self.engine.submit(self.engine.choose_batching, model).result()

    def call(self, method: str, params: dict[str, Any], *, connection: Caller) -> Packed | asyncio.Future[Packed]:
        """The result of one call of a connection, or a future of it. Cancelled, it gives its place up.

        Raises:
            RpcError: what was wrong; OVERLOADED where too many wait already. In the future also DEADLINE_EXCEEDED.
        """
        options, params = take_options(params)
        if quick := self._quick.get(method):
            return pack(quick(params))
        start = functools.partial(self._runner.start, options=options, flow=connection.flow)
        if method in self._streamed:
            name, works = self._streamed[method]
            answer = streaming.answer(works(params), name, options, start, connection.notify, connection.flow)
            return asyncio.ensure_future(answer)
        if options.stream and method in self._reporting:
            make = functools.partial(self._reporting[method], params)
            return asyncio.ensure_future(streaming.reporting(make, start, connection.notify))
        return start(self._work(method, params))

    def call_blocking(self, method: str, params: dict[str, Any], report: streaming.Report | None = None) -> Any:
        """As `call`, without an event loop, and without the packing. Nothing is streamed, whatever `stream` says.

        `report` is told how far it is, in another thread, by methods that know.
        """
        options, params = take_options(params)
        if quick := self._quick.get(method):
            return quick(params)
        if method in self._streamed:
            name, works = self._streamed[method]
            results = [self._runner.run(work, options) for work in works(params)]
            return {"count": len(results), f"{name}s": results}
        if report is not None and method in self._reporting:
            return self._runner.run(self._reporting[method](params, report), options)
        return self._runner.run(self._work(method, params), options)

    def stream_blocking(self, method: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The items of a call that streams, each made when it is asked for."""
        options, params = take_options(params)
        if method not in self._streamed:
            raise RpcError(Code.METHOD_NOT_FOUND, f"{method!r:.80} does not stream{self._nearest(method)}")
        name, works = self._streamed[method]
        for index, work in enumerate(works(params)):
            yield {"index": index, name: self._runner.run(work, options)}

    def close(self) -> None:
        """Answer what waits with SHUTTING_DOWN, finish what runs, stop the engine."""
        self._runner.close()

    def _work(self, method: str, params: dict[str, Any]) -> Work | Search:
        if method not in self._scheduled:
            raise RpcError(Code.METHOD_NOT_FOUND, f"unknown method {method!r:.80}{self._nearest(method)}")
        return self._scheduled[method](params)

    def _nearest(self, method: str) -> str:
        return did_you_mean(method, self.methods) or f"; there are: {', '.join(self.methods)}"

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
            "queue_depth": self._runner.busy,
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
        terrain.check(request, model)
        run = functools.partial(terrain.chunk, self.engine, self._learned, self._regions, model, request)
        slow = windows.takes_long(request.size, request.size, request.layers)
        return of_land(model, "terrain.chunk", request, run, slow)

    def _terrain_chunks(self, params: dict[str, Any]) -> list[Work | Search]:
        request = parse(params, chunks.ChunksRequest)
        return [self._terrain_chunk(chunk) for chunk in chunks.chunks(request)]

    def _terrain_sketch(self, params: dict[str, Any]) -> Work | Search:
        request = parse(params, terrain.SketchRequest)
        model = self.registry.find(request.model)
        control = terrain.check_sketch(request, model)
        digest = terrain.digest(control)
        canonical = msgspec.structs.replace(request, control=[control.shape, digest])
        run = functools.partial(terrain.sketch, self.engine, self._regions, model, request, control)
        window = windows.sketch_window(model, request, control.shape, digest)
        slow = windows.takes_long(window.height, window.width, request.layers)
        return of_land(model, "terrain.sketch", canonical, run, slow)

    def _terrain_rivers(self, params: dict[str, Any]) -> Work | Search:
        request = parse(params, rivers.RiversRequest)
        model = self.registry.find(request.model)
        rivers.check(request, model)
        run = functools.partial(rivers.rivers, self.engine, self._learned, self._streams, model, request)
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
        request = parse(params, asking.GenerateRequest)
        model, wishes = generate.check(request, self.registry)
        key = key_of(model, "levels.generate", request)
        return Search("levels.generate", key, lambda hands: generate.generate(hands, model, wishes, request, report))

    def _levels_solve(self, params: dict[str, Any], report: streaming.Report | None = None) -> Search:
        game, request = solving.check(parse(params, solving.SolveRequest), self.registry)
        key = msgspec.msgpack.encode(["levels.solve", request, game.legend])
        return Search("levels.solve", key, lambda hands: solving.search(hands, game, request, report))
