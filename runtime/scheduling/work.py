"""What a checked request becomes: work for the engine, or a search that needs the engine and the workers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from runtime.batching import Batch
from runtime.content.execution import Executor
from runtime.registry import ModelFile


class Work(NamedTuple):
    """A function for the engine's thread, and optionally a second one that finishes its result in another thread."""

    queue: str  # the queue that it waits in: the model's name
    key: bytes  # everything that the result depends on: equal keys mean equal results
    run: Callable[[], Any]
    batch: Batch | None = None  # how it can run together with other work
    finish: Callable[[Any], Any] | None = None  # from the return value of `run` to the result


class Search(NamedTuple):
    """A function that takes long, so it runs outside the engine's thread."""

    queue: str  # the queue that it waits in: the method's name
    key: bytes
    run: Callable[[Executor], Any]
    compiled: bool = False  # it runs without Python's lock, so a thread of this process runs it, not a worker


def key_of(model: ModelFile, method: str, canonical: msgspec.Struct) -> bytes:
    """The cache key of a model's result. `canonical`: the checked parameters with their defaults filled in."""
    return msgspec.msgpack.encode([method, model.sha256, canonical])


def of_model(model: ModelFile, method: str, canonical: msgspec.Struct, run: Callable[[], Any]) -> Work:
    """Work for one model; `canonical` is as in `key_of`, and `run` makes the result."""
    return Work(model.card.name, key_of(model, method, canonical), run)


def of_land(
    model: ModelFile, method: str, canonical: msgspec.Struct, run: Callable[..., Any], slow: bool
) -> Work | Search:
    """Work for one model, as `of_model`, or if it is `slow` a search outside the engine's thread.

    The search calls `run` with `turn=`, a function that runs one tile in the engine's thread.
    """
    if not slow:
        return of_model(model, method, canonical, run)

    def search(executor: Executor) -> Any:
        return run(turn=functools.partial(executor.turn, model.card.name))

    return Search(method, key_of(model, method, canonical), search, compiled=True)
