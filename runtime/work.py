"""What a checked request asks for: work for the engine, or a search that engine and workers do together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from numpy.typing import NDArray

from runtime.batching import Batch
from runtime.registry import ModelFile

T = TypeVar("T")


class Work(NamedTuple):
    """Something to be done in the engine's thread, and what is left to do with its result, in another."""

    queue: str  # whose queue it waits in: the model's name
    key: bytes  # everything that the result depends on: equal keys, equal results
    run: Callable[[], Any]
    batch: Batch | None = None  # how it may be done with others
    finish: Callable[[Any], Any] | None = None  # from what was made to the result


class Hands(Protocol):
    """Who does the parts of a search. What they give depends on what is asked alone, wherever it is done."""

    def run(self, model: ModelFile, method: str, *arguments: NDArray[Any] | int) -> NDArray[Any]:
        """As `Engine.run`, in the engine's thread."""

    def turn(self, queue: str, function: Callable[[], T]) -> T:
        """What a function gives that calls the engine, in its thread's next turn for that model."""

    def wanted(self) -> bool:
        """Whether anybody still waits for the result. From any thread."""

    def each(self, function: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> Generator[T, None, None]:
        """What a function of a module gives for each of the arguments, in their order; close it to do no more."""


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
