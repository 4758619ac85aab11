"""An LRU cache with single-flight loading: bounded by bytes, for any number of threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
PATIENCE_S = 2.0


class _Flight:
    """The making of one entry. The thread that makes it holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class LRU(Generic[K, V]):
    """A mapping that drops its least recently used entries beyond `limit_bytes`.

    `size` counts the bytes of an entry; it must give the same number for as long as the entry is stored. An entry
    larger than the limit is not stored, and drops nothing.

    >>> cache = LRU[str, str](2, lambda key, value: len(value))
    >>> cache.put("a", "1")
    >>> cache.put("b", "2")
    >>> cache.get("a")
    '1'
    >>> cache.get_or_make("c", lambda: "3")
    '3'
    >>> list(cache), cache.bytes, cache.hits
    (['a', 'c'], 2, 1)
    """

    def __init__(self, limit_bytes: int, size: Callable[[K, V], int]) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0  # of all entries
        self.hits = 0  # of get and get_or_make
        self._size = size
        self._entries: OrderedDict[K, V] = OrderedDict()  # the least recently used first
        self._lock = threading.Lock()  # of all the above
        self._flights: WeakValueDictionary[K, _Flight] = WeakValueDictionary()

    def get(self, key: K) -> V | None:
        """The value of a key, which becomes the most recently used; None where there is none."""
        with self._lock:
            if key not in self._entries:
                return None
            self.hits += 1
            self._entries.move_to_end(key)
            return self._entries[key]

    def put(self, key: K, value: V) -> None:
        """Store a value, in place of the one that the key has."""
        with self._lock:
            if key in self._entries:
                self.bytes -= self._size(key, self._entries.pop(key))
            self._store(key, value)

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key; where there is none, the value that `make` returns, which is stored.

        Of several threads that want the same new entry one makes it, and the others wait for it: PATIENCE_S at most,
        since the maker may itself wait for the engine behind more urgent work. A thread that waited that long makes
        the value itself; the first value that is ready is stored. An error of `make` is raised in the thread that
        called it, and the next thread makes the value.
        """
        with self._lock:
            if key in self._entries:
                return self._hit(key)
            flight = self._flights.setdefault(key, _Flight())
        held = flight.lock.acquire(timeout=PATIENCE_S)
        try:
            with self._lock:
                if key in self._entries:
                    return self._hit(key)
            value = make()
            with self._lock:
                if key not in self._entries:
                    self._store(key, value)
            return value
        finally:
            if held:
                flight.lock.release()

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        """The keys, the least recently used first."""
        with self._lock:
            return iter(list(self._entries))

    def _hit(self, key: K) -> V:
        self.hits += 1
        self._entries.move_to_end(key)
        return self._entries[key]

    def _store(self, key: K, value: V) -> None:
        size = self._size(key, value)
        if size > self.limit_bytes:
            return
        self._entries[key] = value
        self.bytes += size
        while self.bytes > self.limit_bytes:
            self.bytes -= self._size(*self._entries.popitem(last=False))
