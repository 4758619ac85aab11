"""The LRU cache: what it drops, and that one thread makes an entry that many ask for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import lru
from runtime.lru import LRU


class Maker:
    """Makes numbers, each when `gate` is open; `made` lists them, and `begun` is set by the first."""

    def __init__(self, error: Exception | None = None) -> None:
        self.made: list[int] = []
        self.begun, self.gate = threading.Event(), threading.Event()
        self._error = error

    def __call__(self) -> int:
        self.begun.set()
        assert self.gate.wait(30)
        error, self._error = self._error, None
        if error is not None:
            raise error
        self.made.append(len(self.made))
        return self.made[-1]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def new_cache(limit: int = 100) -> LRU[str, int]:
    """A cache whose entries have one byte each."""
    return LRU(limit, lambda *_: 1)


def ask(threads: ThreadPoolExecutor, cache: LRU[str, int], maker: Maker) -> list[Future[int]]:
    first = threads.submit(cache.get_or_make, "a", maker)
    assert maker.begun.wait(30)
    return [first, *(threads.submit(cache.get_or_make, "a", maker) for _ in range(3))]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60))), st.integers(0, 100))
def test_it_never_holds_more_than_its_limit(puts: list[tuple[int, int]], limit: int) -> None:
    cache = LRU[int, str](limit, lambda _, value: int(value))
    sizes = {}
    for key, size in puts:
        cache.put(key, str(size))
        sizes[key] = size
        assert cache.bytes == sum(sizes[stored] for stored in cache) <= limit
        assert cache.get(key) == (str(size) if size <= limit else None)


def test_the_least_recently_used_entry_is_dropped_first() -> None:
    cache = LRU[str, int](30, lambda *_: 10)
    for key in "abc":
        cache.put(key, ord(key))
    cache.get("a")
    cache.put("d", 0)
    assert list(cache) == ["c", "a", "d"]
    assert cache.get("b") is None
    assert "b" not in cache
    assert len(cache) == 3
    assert cache.get_or_make("c", lambda: 1) == ord("c")
    cache.put("e", 0)
    assert list(cache) == ["d", "c", "e"]
    assert cache.hits == 2


def test_an_entry_larger_than_the_limit_is_made_and_not_stored() -> None:
    cache = LRU[str, int](10, lambda _, value: value)
    cache.put("a", 3)
    assert cache.get_or_make("b", lambda: 11) == 11
    assert list(cache) == ["a"]
    cache.put("a", 11)
    assert cache.get("a") is None, "the value that was replaced is not found again"
    assert cache.bytes == 0


def test_an_entry_may_be_none() -> None:
    cache = LRU[str, None](2, lambda *_: 1)
    cache.put("a", None)
    cache.put("b", None)
    assert cache.get("a") is None
    cache.put("c", None)
    assert list(cache) == ["a", "c"]


def test_threads_wait_for_the_one_that_makes_the_entry(threads: ThreadPoolExecutor) -> None:
    cache, maker = new_cache(), Maker()
    answers = ask(threads, cache, maker)
    assert cache.get_or_make("b", lambda: 7) == 7
    maker.gate.set()
    assert [answer.result(30) for answer in answers] == [0] * 4
    assert maker.made == [0]


def test_after_an_error_the_next_thread_makes_the_entry(threads: ThreadPoolExecutor) -> None:
    cache, maker = new_cache(), Maker(ValueError("not today"))
    first, *rest = ask(threads, cache, maker)
    maker.gate.set()
    with pytest.raises(ValueError, match="not today"):
        first.result(30)
    assert [answer.result(30) for answer in rest] == [0] * 3
    assert maker.made == [0]


def test_no_thread_waits_for_ever(threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lru, "PATIENCE_S", 0.01)
    cache, slow = new_cache(), Maker()
    first = threads.submit(cache.get_or_make, "a", slow)
    assert slow.begun.wait(30)
    assert cache.get_or_make("a", lambda: 7) == 7
    slow.gate.set()
    assert first.result(30) == 0  # its own value; the first one that was ready stays
    assert cache.get_or_make("a", slow) == 7
