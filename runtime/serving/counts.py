"""What a server counts for every request: plain numbers, which cost next to nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

OTHER = "other"  # counts for every method that does not exist


class Counts:
    """Counts of all connections of a server since its start."""

    def __init__(self, methods: Iterable[str] = ()) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()  # by method and error code; 0 is success
        self._methods = frozenset(methods)  # a client must not be able to add names
        self.received_bytes = 0
        self.sent_bytes = 0
        self.connections = 0

    def add(self, method: str, code: int) -> None:
        """Count a request that got a response."""
        self.requests[method if method in self._methods else OTHER, code] += 1
