"""Results that are kept: what is found again, what is dropped, and what a bad disk can and can't do."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.scheduling import results as caches
from runtime.scheduling.results import DiskCache, MemoryCache
from runtime.wire.protocol import Packed

ENTRY = caches._ENTRY_BYTES


def result(text: str, size: int = 0) -> Packed:
    return Packed(text.encode().ljust(size, b"."))


# In memory


def test_put_then_get() -> None:
    cache = MemoryCache()
    assert cache.get(b"a") is None
    cache.put(b"a", result("one"))
    assert cache.get(b"a") == result("one")
    cache.put(b"a", result("one, again"))
    assert cache.get(b"a") == result("one, again")
    assert len(cache) == 1


def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(3 * (ENTRY + 101))
    for key in (b"a", b"b", b"c"):
        cache.put(key, result("", 100))
    cache.get(b"a")
    cache.put(b"d", result("", 100))
    assert [key for key in (b"a", b"b", b"c", b"d") if cache.get(key)] == [b"a", b"c", b"d"]


def test_a_result_larger_than_the_cache_drops_nothing() -> None:
    cache = MemoryCache(1000)
    cache.put(b"a", result("small"))
    cache.put(b"b", result("", 1000))
    assert cache.get(b"a")
    assert cache.get(b"b") is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 300)), max_size=60), st.integers(0, 3000))
def test_bytes_stay_within_the_limit_and_add_up(puts: list[tuple[int, int]], limit: int) -> None:
    cache = MemoryCache(limit)
    for key, size in puts:
        cache.put(bytes([key]), result("", size))
        kept = [found for i in range(10) if (found := cache.get(bytes([i]))) is not None]
        assert cache.bytes == sum(len(found.data) + 1 + ENTRY for found in kept) <= limit


# On disk


def kept(folder: Path, *keys: bytes, **options: Any) -> list[Packed | None]:
    """What a new cache finds in a folder."""
    cache = DiskCache(folder, **options)
    found = [cache.read(key).result(10) for key in keys]
    cache.close()
    return found


def fill(folder: Path, names: str = "abc", size: int = 100) -> None:
    """Results named by letters, from the oldest to the newest."""
    cache = DiskCache(folder)
    for age, name in enumerate(reversed(names)):
        cache.write(name.encode(), result(name, size))
        cache.read(name.encode()).result(10)
        os.utime(cache._path(cache._name(name.encode())), (1e9 - age, 1e9 - age))
    cache.close()


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.result"))


def test_results_survive_a_restart(tmp_path: Path) -> None:
    fill(tmp_path)
    assert kept(tmp_path, b"a", b"c", b"x") == [result("a", 100), result("c", 100), None]
    assert b"b" in DiskCache(tmp_path)
    assert b"x" not in DiskCache(tmp_path)


def test_another_version_finds_nothing(tmp_path: Path) -> None:
    fill(tmp_path)
    assert kept(tmp_path, b"a", salt="2") == [None]


def test_a_file_of_another_key_is_refused() -> None:
    content = caches._encode(b"1\0key", result("r"))
    assert caches._decode(b"1\0key", content) == result("r")
    assert caches._decode(b"1\0ke", content) is None


@given(st.binary(max_size=40), st.binary(max_size=200), st.data())
def test_a_file_with_any_byte_changed_or_cut_off_is_refused(key: bytes, data: bytes, draw: st.DataObject) -> None:
    content = bytearray(caches._encode(key, Packed(data)))
    assert caches._decode(key, bytes(content)) == Packed(data)
    place = draw.draw(st.integers(0, len(content) - 1))
    assert caches._decode(key, bytes(content[:place])) is None
    content[place] ^= draw.draw(st.integers(1, 255))
    assert caches._decode(key, bytes(content)) is None


def test_a_damaged_file_is_deleted_and_its_place_can_be_filled_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, "a")
    [path] = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    cache = DiskCache(tmp_path)
    assert cache.read(b"a").result(10) is None
    assert "damaged" in caplog.text
    assert not path.exists()
    assert b"a" not in cache
    cache.write(b"a", result("again"))
    assert cache.read(b"a").result(10) == result("again")
    cache.close()
    assert kept(tmp_path, b"a") == [result("again")]


def test_a_file_that_has_gone_counts_as_never_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path)
    cache = DiskCache(tmp_path)
    for path in files(tmp_path):
        path.unlink()
    assert cache.read(b"a").result(10) is None
    assert b"a" not in cache
    assert not caplog.records
    cache.close()


def test_the_least_recently_used_files_go_first(tmp_path: Path) -> None:
    fill(tmp_path, "abcd")
    size = files(tmp_path)[0].stat().st_size
    cache = DiskCache(tmp_path, 3 * size)
    assert [key in cache for key in (b"a", b"b", b"c", b"d")] == [False, True, True, True]
    assert cache.read(b"b").result(10)
    cache.write(b"e", result("e", 100))
    cache.close()
    assert [key in cache for key in (b"b", b"c", b"d", b"e")] == [True, False, True, True]
    assert len(files(tmp_path)) == 3
    assert cache.bytes == 3 * size


def test_what_was_read_counts_as_used_after_a_restart_too(tmp_path: Path) -> None:
    fill(tmp_path, "abc")
    size = files(tmp_path)[0].stat().st_size
    kept(tmp_path, b"a")
    assert [key in DiskCache(tmp_path, size) for key in (b"a", b"b", b"c")] == [True, False, False]


def test_a_full_disk_costs_a_warning_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def write_part(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    cache = DiskCache(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_part)
        for name in (b"a", b"b"):
            cache.write(name, result("x"))
            assert cache.read(name).result(10) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left" in caplog.text
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    cache.write(b"a", result("x"))
    assert cache.read(b"a").result(10) == result("x")
    cache.close()
    assert cache._writes == 0


def test_a_disk_that_can_not_keep_up_holds_a_bounded_number_of_results(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache._thread.submit(lambda: written.append(cache._writes))
    written: list[int] = []
    for i in range(1000):
        cache.write(str(i).encode(), result("x"))
        assert cache._writes <= caches._MAX_WRITES
    cache.close()
    assert len(cache) == len(files(tmp_path)) <= 1000


def test_a_process_killed_while_it_writes(tmp_path: Path) -> None:
    """What it had finished is kept, what it had not is swept away, and nothing else is to be seen."""
    code = (
        "import sys, pathlib\n"
        "from runtime.scheduling.results import DiskCache\n"
        "from runtime.wire.protocol import Packed\n"
        "cache = DiskCache(pathlib.Path(sys.argv[1]))\n"
        "for i in range(10**6):\n"
        "    cache.write(str(i).encode(), Packed(str(i).encode() * 20000))\n"
        "    cache.read(str(i).encode()).result()\n"
        "    print(i, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while int(process.stdout.readline()) < 20:
        pass
    process.kill()
    process.wait()
    left = tmp_path / "00" / f"{'0' * 64}.1{caches._UNFINISHED}"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"part")
    os.utime(left, (1e9, 1e9))
    cache = DiskCache(tmp_path)
    assert not left.exists()
    assert len(cache) >= 20
    for i in range(20):
        assert cache.read(str(i).encode()).result(10) == Packed(str(i).encode() * 20000)
    cache.close()


def test_two_processes_may_share_a_folder(tmp_path: Path) -> None:
    first, second = DiskCache(tmp_path), DiskCache(tmp_path)
    first.write(b"a", result("a"))
    second.write(b"a", result("a"))
    assert first.read(b"a").result(10) == second.read(b"a").result(10) == result("a")
    first.close()
    second.close()
    assert kept(tmp_path, b"a") == [result("a")]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        DiskCache(tmp_path / "file")
