"""What a server counts for every request: plain numbers, which cost next to nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

OTHER = "other"  # counts for every method that does not exist


class Counts:
    """Of one server's connections, since its start."""

    def __init__(self, methods: Iterable[str] = ()) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()  # by method and error code, 0 without an error
        self._methods = frozenset(methods)  # a stranger must not be able to make up more
        self.received_bytes = 0
        self.sent_bytes = 0
        self.connections = 0

    def add(self, method: str, code: int) -> None:
        """Count a request that was answered."""
        self.requests[method if method in self._methods else OTHER, code] += 1
