"""What content asks of whoever runs it: the engine's turns, and workers for what takes long."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from runtime.registry import ModelFile

T = TypeVar("T")


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
