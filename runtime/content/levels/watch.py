"""How far a search is, and whether it is still wanted: two whole numbers that a solver looks at as it goes on.

A solver may run compiled, in another thread, or in another process, so the numbers lie in a small file that all of them
map into memory: `DONE`, the nodes looked at so far, written by the solver; `STOP`, not 0 once nobody waits for it.
Neither changes what a search finds: one that is stopped gives nothing at all.
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
EVERY = 1024  # nodes of a search in Python between two looks
POLL_S = 0.1  # between looks whether a search is still wanted, and tells how far it is

Cells = NDArray[np.int64]


class Stopped(Exception):
    """A search was given up because nobody waits for it any more."""


_watched: ContextVar[Cells | None] = ContextVar("watched", default=None)


def watched() -> Cells:
    """The numbers of the search that this thread does, int64 (2,); of one that nobody watches, numbers of its own."""
    numbers = _watched.get()
    return np.zeros(2, np.int64) if numbers is None else numbers


def look(numbers: Cells, nodes: int) -> None:
    """Tell how many nodes were looked at. Raises Stopped where the search is not wanted any more."""
    numbers[DONE] = nodes
    if numbers[STOP]:
        raise Stopped


@contextlib.contextmanager
def watching(path: str | None) -> Iterator[None]:
    """Solvers that are called within look at the numbers of this file."""
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
    """A file for `watching`. Meanwhile another thread stops the search once it is not `wanted`, and `report`s the nodes
    looked at, as often as they have grown. Afterwards what still searches is stopped.

    None where no temporary file can be written: then the search goes on untold, to its end.
    """
    try:
        path = _new_file()
    except OSError as error:
        logger.warning("searches can't be stopped and tell nothing: no temporary file can be written (%s)", error)
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
        np.memmap(path, np.int64, "r+", shape=(2,))[STOP] = 1  # what still goes on, in a worker, is wanted by nobody
        with contextlib.suppress(PermissionError):  # Windows, while a worker still has it: it lies in the system's
            Path(path).unlink()  # folder of temporary files


def _new_file() -> str:
    """A temporary file of two numbers. Its bytes are written, since a page of a hole can't be had on a full disk."""
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
