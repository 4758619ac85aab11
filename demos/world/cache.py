"""Chunks that are kept: least recently used goes first, bounded by bytes. For one thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """A mapping that holds at most `capacity_bytes`, as its caller counts them.

    >>> cache: Cache[str, int] = Cache(2)
    >>> for key in "ab":
    ...     cache.put(key, 0, 1)
    >>> cache.get("a")
    0
    >>> cache.put("c", 0, 1)
    >>> list(cache)
    ['a', 'c']
    """

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.bytes = 0
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()  # least recently used first

    def get(self, key: K) -> V | None:
        """The value, which is now the most recently used; None if it is not here."""
        item = self._items.get(key)
        if item is None:
            return None
        self._items.move_to_end(key)
        return item[0]

    def put(self, key: K, value: V, size_bytes: int) -> None:
        """Keep a value, and drop the least recently used ones that no longer fit; a value too large is not kept."""
        if key in self._items:
            self.bytes -= self._items.pop(key)[1]
        self._items[key] = value, size_bytes
        self.bytes += size_bytes
        while self.bytes > self.capacity_bytes:
            _, (_, freed) = self._items.popitem(last=False)
            self.bytes -= freed

    def __contains__(self, key: K) -> bool:
        return key in self._items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)
