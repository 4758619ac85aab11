"""What a checked request asks for: work for the engine, or a search that engine and workers do together."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from runtime.batching import Batch
from runtime.content.hands import Hands
from runtime.registry import ModelFile


class Work(NamedTuple):
    """Something to be done in the engine's thread, and what is left to do with its result, in another."""

    queue: str  # whose queue it waits in: the model's name
    key: bytes  # everything that the result depends on: equal keys, equal results
    run: Callable[[], Any]
    batch: Batch | None = None  # how it may be done with others
    finish: Callable[[Any], Any] | None = None  # from what was made to the result


class Search(NamedTuple):
    """Something that takes its time beside the engine."""

    queue: str  # whose queue it waits in: the method's name
    key: bytes
    run: Callable[[Hands], Any]
    compiled: bool = False  # it holds up neither Python nor many others: a thread of this process does it, no worker


def key_of(model: ModelFile, method: str, canonical: msgspec.Struct) -> bytes:
    """All that a model's result depends on. `canonical`: the checked parameters with their defaults."""
    return msgspec.msgpack.encode([method, model.sha256, canonical])


def of_model(model: ModelFile, method: str, canonical: msgspec.Struct, run: Callable[[], Any]) -> Work:
    """Work for one model. `canonical` as for `key_of`."""
    return Work(model.card.name, key_of(model, method, canonical), run)


def of_land(
    model: ModelFile, method: str, canonical: msgspec.Struct, run: Callable[..., Any], slow: bool
) -> Work | Search:
    """As `of_model`. What is slow goes on beside the engine, and has it a tile at a time: by the `turn` it is given."""
    if not slow:
        return of_model(model, method, canonical, run)

    def beside(hands: Hands) -> Any:
        return run(turn=functools.partial(hands.turn, model.card.name))

    return Search(method, key_of(model, method, canonical), beside, compiled=True)
