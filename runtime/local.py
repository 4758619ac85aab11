"""The runtime in this process: the interface of the clients without a socket, with the same results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runtime.engine import Engine
from runtime.registry import Registry
from runtime.service import Service


class Local:
    """`Local().call("terrain.chunk", seed=7, x=0, y=0)`. Models are loaded at their first use.

    Raises:
        FileNotFoundError: no such models folder.
        ValueError: the device is not available, or the number of threads is out of range.
    """

    def __init__(self, models: Path | None = None, device: str = "auto", threads: int | None = None) -> None:
        self.service = Service(Registry(models), Engine(device, threads))

    def call(self, method: str, /, **params: Any) -> Any:
        """The result of one method. Raises RpcError."""
        return self.service.call_blocking(method, params)

    def call_reporting(self, method: str, report: Callable[[int, int], None], /, **params: Any) -> Any:
        """As `call`. Methods that report progress call `report` in another thread: how much is done, of how much."""
        return self.service.call_blocking(method, params, report)

    def stream(self, method: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """The items of a method that streams; each is made when it is asked for. Raises RpcError."""
        return self.service.stream_blocking(method, params)

    def close(self) -> None:
        """Stop the engine when the calls that run have ended."""
        self.service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):  # who interrupts does not want to wait
            threading.Thread(target=self.close, name="closing", daemon=True).start()
        else:
            self.close()
