"""The method table: each name, what checks its parameters, and what answers it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import msgspec

from runtime import card as cards
from runtime.content import terrain
from runtime.content.ground import LearnedControl
from runtime.content.regions import Regions
from runtime.engine import Engine
from runtime.errors import Code, RpcError, did_you_mean
from runtime.registry import Registry

PROTOCOL_VERSION = 1
NAME = "pcg-runtime"
MAX_QUEUED = 512  # requests that wait for the engine, of all connections together
RETRY_AFTER_MS = 1000
T = TypeVar("T", bound=msgspec.Struct)


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


def parse(params: dict[str, Any], kind: type[T]) -> T:
    """Parameters as a record.

    Raises:
        RpcError: INVALID_PARAMS, naming the parameter and, for an unknown one, the nearest right name.
    """
    known = kind.__struct_fields__
    for name in params:
        if name not in known:
            near = did_you_mean(name, known) or (f"; there are: {', '.join(known)}" if known else "; it takes none")
            raise RpcError(Code.INVALID_PARAMS, f"unknown parameter {name!r:.80}{near}", {"parameter": name[:80]})
    try:
        return msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), params) from error


def _invalid(message: str, params: dict[str, Any]) -> RpcError:
    """msgspec's "Expected `int`, got `str` - at `$.seed`" with the parameter first, and its value."""
    what, _, path = message.partition(" - at `$.")
    name = path.rstrip("`").partition("[")[0]
    if name in params:
        what = f"{name} {params[name]!r:.60}: {what[:1].lower()}{what[1:]}"
    return RpcError(Code.INVALID_PARAMS, what, {"parameter": name} if name else {})


def package_version() -> str:
    """The installed version, or "unknown" from a source tree that was never installed."""
    try:
        return version("pcg-plugin")
    except PackageNotFoundError:
        return "unknown"


class Service:
    """Answers calls by name. What needs no model is answered at once, the rest in the engine's thread."""

    def __init__(self, registry: Registry, engine: Engine) -> None:
        self.registry, self.engine = registry, engine
        self._started = time.monotonic()
        self._learned, self._regions = LearnedControl(), Regions()
        self._quick: dict[str, Callable[[dict[str, Any]], Any]] = {
            "server.hello": self._hello,
            "server.health": self._health,
            "models.list": self._list,
            "models.describe": self._describe,
        }
        # These check their parameters at once and give the work that is left for the engine's thread.
        self._engine_bound: dict[str, Callable[[dict[str, Any]], Callable[[], Any]]] = {
            "terrain.chunk": self._terrain_chunk,
            "terrain.sketch": self._terrain_sketch,
        }

    @property
    def methods(self) -> list[str]:
        """All method names."""
        return [*self._quick, *self._engine_bound]

    def warm_up(self) -> None:
        """Load every model and prove it; a model that fails is refused with its reason, the others go on."""
        for name, model in list(self.registry.models.items()):
            try:
                self.engine.submit(self.engine.load, model).result()
            except RpcError as error:
                del self.registry.models[name]
                self.registry.refused[name] = error.message

    async def call(self, method: str, params: dict[str, Any], *, connection: object = None) -> Any:
        """Answer one call. Raises RpcError; OVERLOADED when too many wait for the engine."""
        del connection
        if quick := self._quick.get(method):
            return quick(params)
        work = self._handler(method)(params)
        if self.engine.queue_depth >= MAX_QUEUED:
            raise RpcError(
                Code.OVERLOADED,
                f"{MAX_QUEUED} requests wait already; try again in {RETRY_AFTER_MS} ms",
                {"retry_after_ms": RETRY_AFTER_MS},
            )
        return await asyncio.wrap_future(self.engine.submit(work))

    def call_blocking(self, method: str, params: dict[str, Any]) -> Any:
        """As `call`, without an event loop."""
        if quick := self._quick.get(method):
            return quick(params)
        return self.engine.submit(self._handler(method)(params)).result()

    def _handler(self, method: str) -> Callable[[dict[str, Any]], Callable[[], Any]]:
        if method not in self._engine_bound:
            near = did_you_mean(method, self.methods) or f"; there are: {', '.join(self.methods)}"
            raise RpcError(Code.METHOD_NOT_FOUND, f"unknown method {method!r:.80}{near}")
        return self._engine_bound[method]

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
            "queue_depth": self.engine.queue_depth,
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

    def _terrain_chunk(self, params: dict[str, Any]) -> Callable[[], dict[str, Any]]:
        request = parse(params, terrain.TerrainRequest)
        model = self.registry.find(request.model)
        terrain.check(request, model)
        return lambda: terrain.chunk(self.engine, self._learned, self._regions, model, request)

    def _terrain_sketch(self, params: dict[str, Any]) -> Callable[[], dict[str, Any]]:
        request = parse(params, terrain.SketchRequest)
        model = self.registry.find(request.model)
        control = terrain.check_sketch(request, model)
        return lambda: terrain.sketch(self.engine, self._regions, model, request, control)
