"""What is dear to make and wanted again: kept, and the least recently used of it dropped."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Things by key, together no more than `limit_bytes`, but at least one. Safe between threads.

    Two threads that want the same new thing both make it; the first to be done is kept.
    """

    def __init__(self, limit_bytes: int, size: Callable[[T], int]) -> None:
        self._limit, self._bytes, self._size = limit_bytes, 0, size
        self._things: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._things

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a key, made if it isn't."""
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
                return self._things[key]
        thing = make()
        with self._lock:
            if key not in self._things:
                self._things[key] = thing
                self._bytes += self._size(thing)
            while self._bytes > self._limit and len(self._things) > 1:
                _, dropped = self._things.popitem(last=False)
                self._bytes -= self._size(dropped)
        return thing
