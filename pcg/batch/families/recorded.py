"""A runtime that answers a request again with the response that it has already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pcg.assets.region import Runtime


class Recorded:
    """Keeps the responses of a runtime, so that an asset can be measured first and written later by the same code."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime: Runtime | None = runtime
        self._responses: dict[str, Any] = {}

    def call(self, method: str, /, **params: Any) -> Any:
        """As `Runtime.call`. Raises LookupError for a new request after `close`."""
        key = repr((method, sorted(params.items())))
        if key not in self._responses:
            if self._runtime is None:
                raise LookupError(f"{method} was not asked for before: {params}")
            self._responses[key] = self._runtime.call(method, **params)
        return self._responses[key]

    def call_reporting(self, method: str, report: Callable[[int, int], None], /, **params: Any) -> Any:
        """As `call`; nothing is reported."""
        del report
        return self.call(method, **params)

    def close(self) -> None:
        """Let go of the runtime: what was asked is answered, nothing else."""
        self._runtime = None
