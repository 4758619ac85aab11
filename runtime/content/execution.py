"""The interface through which a search uses the engine and the worker processes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from runtime.registry import ModelFile

T = TypeVar("T")


class Executor(Protocol):
    """Runs the parts of a search. Their results depend only on the arguments, not on where they run."""

    def run(self, model: ModelFile, method: str, *arguments: NDArray[Any] | int) -> NDArray[Any]:
        """Run a method of a model, as `Engine.run`, in the engine's thread."""

    def turn(self, queue: str, function: Callable[[], T]) -> T:
        """Call `function`, which uses the engine, in the engine's thread; `queue` is the model's name."""

    def wanted(self) -> bool:
        """Whether anyone still waits for the result. May be called from any thread."""

    def each(self, function: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> Generator[T, None, None]:
        """The results of `function` for each of `arguments`, in order. Closing the generator cancels the rest.

        `function` must be a function of a module, since a worker process imports it.
        """
