"""Finished results, kept packed so that they are sent as they are: in memory, and in files if a folder is named.

A key says everything that a result depends on (method, model's SHA-256, canonical parameters), so nothing kept is ever
out of date. Both tiers drop what was used least recently beyond their limit of bytes.

The folder survives restarts and crashes. A file is written under another name and renamed when it is whole; it holds
its key and a checksum, and one that is not as it was written is deleted and counts as never kept. A disk that is full
or fails costs a warning and the result's place, nothing else. One thread does all reading and writing.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from runtime.lru import LRU
from runtime.wire.protocol import Packed

logger = logging.getLogger(__name__)

MEMORY_BYTES = 256 << 20
DISK_BYTES = 4 << 30
_ENTRY_BYTES = 300  # of memory that an entry takes besides its key and data
_MAX_WRITES = 32  # that wait for the disk; what comes while there are more is not written
_SUFFIX, _UNFINISHED = ".result", ".part"
_MAGIC = b"pcg result 1\n"
_WARN_EVERY_S = 60.0
_ABANDONED_S = 60.0  # no file takes that long to write


class MemoryCache(LRU[bytes, Packed]):
    """The result cache in memory. Thread-safe."""

    def __init__(self, limit_bytes: int = MEMORY_BYTES) -> None:
        super().__init__(limit_bytes, _size)


def _size(key: bytes, result: Packed) -> int:
    return len(key) + len(result.data) + _ENTRY_BYTES


class DiskCache:
    """Results in a folder's files. `salt` is part of every key: results of another version are not found.

    Raises:
        OSError: the folder can't be made or read.
    """

    def __init__(self, folder: Path, limit_bytes: int = DISK_BYTES, salt: str = "") -> None:
        self.bytes = 0
        self.hits = 0
        self._folder, self._limit, self._salt = folder, limit_bytes, salt.encode() + b"\0"
        self._files: OrderedDict[str, int] = OrderedDict()  # name to bytes, the least recently used first
        self._warned = -_WARN_EVERY_S
        self._writes = 0  # that wait
        self._lock = threading.Lock()  # of all the above
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._find_files()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="disk cache")

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, key: bytes) -> bool:
        """Whether there is a file for a key. Costs no look at the disk; the file may yet turn out to be damaged."""
        return self._name(key) in self._files

    def read(self, key: bytes) -> Future[Packed | None]:
        """A result that is kept; None where there is none, or no sound one."""
        return self._thread.submit(self._read, key)

    def write(self, key: bytes, result: Packed) -> None:
        """Keep a result, soon. Not if the disk can't keep up, or it is kept already."""
        if key in self or len(result.data) > self._limit:
            return
        with self._lock:
            if self._writes >= _MAX_WRITES:
                return
            self._writes += 1
        self._thread.submit(self._write, key, result)

    def close(self) -> None:
        """Finish what is being written."""
        self._thread.shutdown(wait=True)

    def _name(self, key: bytes) -> str:
        return hashlib.sha256(self._salt + key).hexdigest()

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / (name + _SUFFIX)

    def _find_files(self) -> None:
        found = []
        for path in self._folder.glob("??/*"):
            try:
                about = path.stat()
            except FileNotFoundError:  # another process uses the folder too
                continue
            if path.suffix == _SUFFIX:
                found.append((about.st_mtime, path.stem, about.st_size))
            elif path.suffix == _UNFINISHED and time.time() - about.st_mtime > _ABANDONED_S:
                _delete(path)  # of a process that was killed
        for _, name, size in sorted(found):
            self._files[name] = size
            self.bytes += size
        self._drop_oldest()

    def _read(self, key: bytes) -> Packed | None:
        name = self._name(key)
        path = self._path(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):  # another process may have dropped it
                self._warn("%s can't be read: %s", path, error)
            self._forget(name)
            return None
        result = _decode(self._salt + key, content)
        if result is None:
            logger.warning("a kept result, %s, is damaged; deleted, and made again when it is asked for", path)
            path.unlink(missing_ok=True)
            self._forget(name)
            return None
        with contextlib.suppress(OSError):  # a folder that may not be written to
            os.utime(path)  # so that the next process knows that it was used
        with self._lock:
            self.hits += 1
            if name in self._files:
                self._files.move_to_end(name)
        return result

    def _write(self, key: bytes, result: Packed) -> None:
        name = self._name(key)
        path = self._path(name)
        unfinished = path.with_suffix(f".{os.getpid()}{_UNFINISHED}")
        content = _encode(self._salt + key, result)
        try:
            path.parent.mkdir(exist_ok=True)
            unfinished.write_bytes(content)
            unfinished.replace(path)
        except OSError as error:
            self._warn("a result is not kept in %s: %s", self._folder, error)
            _delete(unfinished)
        else:
            self._forget(name)
            with self._lock:
                self._files[name] = len(content)
                self.bytes += len(content)
            self._drop_oldest()
        finally:
            with self._lock:
                self._writes -= 1

    def _forget(self, name: str) -> None:
        with self._lock:
            self.bytes -= self._files.pop(name, 0)

    def _drop_oldest(self) -> None:
        while self.bytes > self._limit:
            with self._lock:
                name, size = self._files.popitem(last=False)
                self.bytes -= size
            _delete(self._path(name))

    def _warn(self, message: str, *about: object) -> None:
        """A warning, but no more often than is of use while a disk is full."""
        if time.monotonic() - self._warned >= _WARN_EVERY_S:
            self._warned = time.monotonic()
            logger.warning(message, *about)


def _encode(key: bytes, result: Packed) -> bytes:
    """A file: the magic line, SHA-256 of all that follows, the key's length in 4 bytes, the key, the result."""
    rest = len(key).to_bytes(4, "big") + key + result.data
    return _MAGIC + hashlib.sha256(rest).digest() + rest


def _decode(key: bytes, content: bytes) -> Packed | None:
    start = len(_MAGIC) + 32
    head = len(key).to_bytes(4, "big") + key
    rest = memoryview(content)[start:]
    if not content.startswith(_MAGIC) or hashlib.sha256(rest).digest() != content[len(_MAGIC) : start]:
        return None
    return Packed(bytes(rest[len(head) :])) if rest[: len(head)] == head else None


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s can't be deleted: %s", path, error)
