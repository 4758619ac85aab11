"""What is dear to make and wanted again: kept, and the least recently used of it dropped."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")
PATIENCE_S = 2.0


class _Making:
    """Who makes a thing has its lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Kept(Generic[T]):
    """Things by key, together no more than `limit_bytes`, but at least one. Safe between threads.

    Of two threads that want the same new thing one makes it, and the other waits for it: PATIENCE_S and no longer, for
    who makes it may have to wait for the engine, behind more urgent work. Then it makes it itself; the first to be done
    is kept.
    """

    def __init__(self, limit_bytes: int, size: Callable[[T], int]) -> None:
        self._limit, self._bytes, self._size = limit_bytes, 0, size
        self._things: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()
        self._making: WeakValueDictionary[Hashable, _Making] = WeakValueDictionary()

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a key, made if it isn't."""
        with self._lock:
            if key in self._things:
                return self._found(key)
            making = self._making.setdefault(key, _Making())
        held = making.lock.acquire(timeout=PATIENCE_S)
        try:
            with self._lock:
                if key in self._things:
                    return self._found(key)
            return self._keep(key, make())
        finally:
            if held:
                making.lock.release()

    def _found(self, key: Hashable) -> T:
        self._things.move_to_end(key)
        return self._things[key]

    def _keep(self, key: Hashable, thing: T) -> T:
        with self._lock:
            if key not in self._things:
                self._things[key] = thing
                self._bytes += self._size(thing)
            while self._bytes > self._limit and len(self._things) > 1:
                _, dropped = self._things.popitem(last=False)
                self._bytes -= self._size(dropped)
        return thing
