"""Progress and cancellation of a search: two integers that the solver shares with the thread that waits for it.

A solver can run compiled, in another thread, or in another process, so the integers are in a small file that all of
them map into memory. The solver writes `DONE`, the nodes searched so far; `STOP` is not 0 once nobody waits for the
result. Neither changes what a search finds: a stopped search has no result.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

DONE, STOP = 0, 1
EVERY = 1024  # nodes of a search in Python between two calls of `look`
POLL_S = 0.1  # between two checks whether a search is still wanted, each with a progress report

Cells = NDArray[np.int64]


class Stopped(Exception):
    """A search was stopped because nobody waits for its result any more."""


_watched: ContextVar[Cells | None] = ContextVar("watched", default=None)


def watched() -> Cells:
    """DONE and STOP of this thread's search, int64 (2,); outside `watching` an array that nobody else reads."""
    numbers = _watched.get()
    return np.zeros(2, np.int64) if numbers is None else numbers


def look(numbers: Cells, nodes: int) -> None:
    """Report the nodes searched so far. Raises Stopped if nobody waits for the result any more."""
    numbers[DONE] = nodes
    if numbers[STOP]:
        raise Stopped


@contextlib.contextmanager
def watching(path: str | None) -> Iterator[None]:
    """Solvers that are called within this context use the integers in this file; None: nobody watches them."""
    if path is None:
        yield
        return
    token = _watched.set(np.asarray(np.memmap(path, np.int64, "r+", shape=(2,))))
    try:
        yield
    finally:
        _watched.reset(token)


@contextlib.contextmanager
def telling(wanted: Callable[[], bool], report: Callable[[int], object] | None) -> Iterator[str | None]:
    """A file for `watching`, polled by another thread. On exit, searches that still use it are stopped.

    The context is None where no temporary file can be written: the search then runs to its end without progress.

    Args:
        wanted: whether anybody still waits; if not, the search is stopped.
        report: is called with the nodes searched so far, whenever they have grown.
    """
    try:
        path = _new_file()
    except OSError as error:
        logger.warning("searches can't be stopped and report no progress: no temporary file can be written (%s)", error)
        yield None
        return
    ended = threading.Event()
    thread = threading.Thread(target=_poll, args=(path, wanted, report, ended), name="watch of a search", daemon=True)
    thread.start()
    try:
        yield path
    finally:
        ended.set()
        thread.join()
        np.memmap(path, np.int64, "r+", shape=(2,))[STOP] = 1  # nobody waits for a search that still runs in a worker
        with contextlib.suppress(PermissionError):  # Windows refuses it while a worker has the file open; the
            Path(path).unlink()  # system's folder of temporary files keeps it


def _new_file() -> str:
    """A temporary file of two integers. Its bytes are written, since a sparse file can fail later, on a full disk."""
    handle, path = tempfile.mkstemp(prefix="pcg-search-")
    try:
        os.write(handle, bytes(16))
    except OSError:
        Path(path).unlink()
        raise
    finally:
        os.close(handle)
    return path


def _poll(
    path: str, wanted: Callable[[], bool], report: Callable[[int], object] | None, ended: threading.Event
) -> None:
    numbers, told = np.memmap(path, np.int64, "r+", shape=(2,)), 0
    while not ended.wait(POLL_S):
        if not wanted():
            numbers[STOP] = 1
            return
        if report is not None and (done := int(numbers[DONE])) > told:
            report(done)
            told = done
