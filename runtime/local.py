"""The runtime in this process: the clients' interface without a socket, and the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runtime.engine import Engine
from runtime.registry import Registry
from runtime.service import Service
from runtime.threads import check_threads


class Local:
    """`Local().call("terrain.chunk", seed=7, x=0, y=0)`; models load at their first use.

    Raises:
        FileNotFoundError: no such models folder.
        ValueError: the device is not there, or the number of threads is out of range.
    """

    def __init__(self, models: Path | None = None, device: str = "auto", threads: int | None = None) -> None:
        check_threads(threads)
        self.service = Service(Registry(models), Engine(device, threads))

    def call(self, method: str, /, **params: Any) -> Any:
        """The result of one method. Raises RpcError."""
        return self.service.call_blocking(method, params)

    def stream(self, method: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """The items of a method that streams, each made when it is asked for. Raises RpcError."""
        return self.service.stream_blocking(method, params)

    def close(self) -> None:
        """Stop the engine."""
        self.service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
