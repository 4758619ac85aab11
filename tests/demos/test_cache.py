"""The chunk cache is bounded by bytes, and forgets what was used longest ago."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from demos.world.cache import Cache


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60))), st.integers(0, 100))
def test_it_never_holds_more_than_its_capacity(puts: list[tuple[int, int]], capacity: int) -> None:
    cache: Cache[int, str] = Cache(capacity)
    sizes = {}
    for key, size in puts:
        cache.put(key, str(size), size)
        sizes[key] = size
        assert cache.bytes == sum(sizes[kept] for kept in cache) <= capacity
        if size <= capacity:
            assert cache.get(key) == str(size)


def test_what_was_used_longest_ago_goes_first() -> None:
    cache: Cache[str, int] = Cache(30)
    for key in "abc":
        cache.put(key, ord(key), 10)
    cache.get("a")
    cache.put("d", 0, 10)
    assert list(cache) == ["c", "a", "d"]
    assert cache.get("b") is None
    assert "b" not in cache
    assert len(cache) == 3
