"""What a checked request asks for: work for the engine, or a search that engine and workers do together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple, Protocol, TypeVar

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

    def each(self, function: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> Generator[T, None, None]:
        """What a function of a module gives for each of the arguments, in their order; close it to do no more."""


class Search(NamedTuple):
    """Something that takes its time in Python."""

    queue: str  # whose queue it waits in: the method's name
    key: bytes
    run: Callable[[Hands], Any]
