"""Processes for work in Python that would hold the event loop or the engine: searches, above all.

Theory of operation. A pool of `concurrent.futures` whose process dies gives up all its work, and can't be told to end
one piece of it. So each worker here is such a pool, of one process: its death is one task's, and to end a task is to
kill its process. What is handed in waits until a worker is free.

- A worker that dies is replaced. Its task is done once more, and where that one dies too, answered with
  WORKER_FAILED.
- A task that is cancelled while it runs has GRACE_S to end, as most do (solvers look whether they are still wanted,
  runtime/content/levels/watch.py); then its worker is killed and replaced.
- Processes are spawned, not forked: a fork of a process with torch's threads may hang.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

from runtime.errors import Code, RpcError

logger = logging.getLogger(__name__)

T = TypeVar("T")
MOST_BY_DEFAULT = 4
MEMORY_MB = 1024
LEAST_MB = 256  # below that a process does not come up
GRACE_S = 1.0
TRIES = 2
_NICE = 5  # a player waits for the engine, which goes first where they want the same core


def default_count() -> int:
    """How many workers there are unless it is said: as many as cores, and not more than four."""
    return min(os.cpu_count() or 1, MOST_BY_DEFAULT)


def _nothing() -> None:
    pass


class _Task:
    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments
        self.future: Future[Any] = Future()  # never marked as running, so that it can be cancelled at any time
        self.tries = 0

    def __str__(self) -> str:
        return self.function.__name__

    def fail(self, error: BaseException) -> None:
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


class _Worker:
    """A place for one process. `born`: a future of its number; `ready`: one that is done when it is prepared."""

    def __init__(self, memory_mb: int | None, prepare: Callable[[], object]) -> None:
        self.task: _Task | None = None
        self._memory_mb, self._prepare = memory_mb, prepare
        self.start()

    def start(self) -> None:
        self.pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(self._memory_mb,)
        )
        self.born = self.pool.submit(os.getpid)
        self.ready = self.pool.submit(self._prepare)
        self.ready.add_done_callback(_tell_unprepared)

    def kill(self) -> None:
        self.born.add_done_callback(_kill)


class Workers:
    """`count` processes. `prepare` is called in each before its first task; `memory_mb` bounds what one may have.

    All methods may be called from any thread.
    """

    def __init__(self, count: int, memory_mb: int | None = MEMORY_MB, prepare: Callable[[], object] = _nothing) -> None:
        self.count, self.restarts = count, 0
        self._memory_mb, self._prepare = memory_mb, prepare
        self._lock = threading.Lock()
        self._waiting: deque[_Task] = deque()
        self._idle: list[_Worker] = []
        self._workers: list[_Worker] = []
        self._closed = False

    def start(self) -> None:
        """Start the processes, without waiting for them: the first, and when it is prepared (and has compiled what the
        others then find compiled), the rest. Does nothing the second time.
        """
        with self._lock:
            if self._workers or self._closed:
                return
            first = self._new_worker()
        first.ready.add_done_callback(lambda _: _apart(self._start_rest))
        self._give_out()

    @property
    def busy(self) -> int:
        """How many work."""
        with self._lock:
            return len(self._workers) - len(self._idle)

    def pids(self) -> list[int]:
        """The numbers of the processes that are up."""
        with self._lock:
            born = [worker.born for worker in self._workers]
        return [b.result() for b in born if b.done() and not b.cancelled() and b.exception() is None]

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """What a function of a module gives, in a worker; cancel it to end it.

        In the future: what the function raises; RpcError WORKER_FAILED where two workers died of it, or where it
        wanted more memory than one may have; SHUTTING_DOWN after `close`.
        """
        task = _Task(function, arguments)
        with self._lock:
            closed = self._closed
            if not closed:
                self._waiting.append(task)
        if closed:
            task.fail(_shutting_down())
        task.future.add_done_callback(lambda future: self._leave(task) if future.cancelled() else None)
        self.start()
        self._give_out()
        return task.future

    def close(self) -> None:
        """Answer what waits and what runs with SHUTTING_DOWN, and end the processes."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            workers = list(self._workers)
            running = [worker.task for worker in workers if worker.task is not None]
        for task in waiting + running:
            task.fail(_shutting_down())
        for worker in workers:
            worker.kill()  # also those that are idle: they have nothing to lose, and take their time to leave
            worker.pool.shutdown(wait=False)

    def _new_worker(self) -> _Worker:
        worker = _Worker(self._memory_mb, self._prepare)
        self._workers.append(worker)
        self._idle.append(worker)
        return worker

    def _start_rest(self) -> None:
        with self._lock:
            while not self._closed and len(self._workers) < self.count:
                self._new_worker()
        self._give_out()

    def _give_out(self) -> None:
        """Give the tasks that wait to the workers that are free."""
        while True:
            with self._lock:
                if not (self._waiting and self._idle):
                    return
                task, worker = self._waiting.popleft(), self._idle.pop()
                worker.task = task
            self._begin(worker, task)

    def _begin(self, worker: _Worker, task: _Task) -> None:
        task.tries += 1
        try:
            try:
                done = worker.pool.submit(task.function, *task.arguments)
            except BrokenProcessPool:
                logger.warning("a worker process ended while it had nothing to do; another takes its place")
                self._replace(worker)
                done = worker.pool.submit(task.function, *task.arguments)
        except RuntimeError:  # closed meanwhile
            task.fail(_shutting_down())
        else:
            done.add_done_callback(lambda done: self._when_done(worker, task, done))

    def _when_done(self, worker: _Worker, task: _Task, done: Future[Any]) -> None:
        if not done.cancelled() and isinstance(done.exception(), BrokenProcessPool):
            _apart(self._finish, worker, task, done)
        else:
            self._finish(worker, task, done)

    def _finish(self, worker: _Worker, task: _Task, done: Future[Any]) -> None:
        again = False
        if done.cancelled():
            task.fail(_shutting_down())
        elif isinstance(error := done.exception(), BrokenProcessPool):
            if not task.future.done():  # else it was ended because nobody waits for its task
                logger.warning("a worker process was ended at its work (in %s); another takes its place", task)
                again = task.tries < TRIES
            self._replace(worker)
            if not again:
                what = f"two processes ended while they worked on this (in {task}), one after the other: ask for less"
                task.fail(RpcError(Code.WORKER_FAILED, what))
        elif isinstance(error, MemoryError):
            what = f"this needs more than the {self._memory_mb} MB of memory that a worker may have: ask for less"
            task.fail(RpcError(Code.WORKER_FAILED, what))
        elif error is not None:
            task.fail(error)
        else:
            with contextlib.suppress(InvalidStateError):
                task.future.set_result(done.result())
        with self._lock:
            worker.task = None
            self._idle.append(worker)
            if again:
                self._waiting.appendleft(task)
        self._give_out()

    def _replace(self, worker: _Worker) -> None:
        with self._lock:
            if self._closed:
                return
            self.restarts += 1
            worker.start()

    def _leave(self, task: _Task) -> None:
        """Forget a task that nobody wants any more."""
        with self._lock:
            if task in self._waiting:
                self._waiting.remove(task)
            running = [worker for worker in self._workers if worker.task is task]
        for worker in running:
            timer = threading.Timer(GRACE_S, self._end, (worker, task))
            timer.daemon = True
            timer.start()

    def _end(self, worker: _Worker, task: _Task) -> None:
        if worker.task is task:
            logger.info("a search that nobody waits for any more is ended with its process")
            worker.kill()


def _apart(function: Callable[..., object], *arguments: Any) -> None:
    """In a thread of its own: a pool that breaks tells of it with its lock held, and would wait for itself for ever."""
    threading.Thread(target=function, args=arguments, daemon=True).start()


def _shutting_down() -> RpcError:
    return RpcError(Code.SHUTTING_DOWN, "the runtime shut down before this was done")


def _kill(born: Future[int]) -> None:
    if not born.cancelled() and born.exception() is None:
        with contextlib.suppress(ProcessLookupError):  # gone already
            os.kill(born.result(), getattr(signal, "SIGKILL", signal.SIGTERM))


def _tell_unprepared(ready: Future[object]) -> None:
    if not ready.cancelled() and (error := ready.exception()) and not isinstance(error, BrokenProcessPool):
        logger.error("a worker process could not be prepared: %r", error)


def _begin(memory_mb: int | None) -> None:
    """In a new process, before its first task."""
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to all of a terminal or a service: the parent drains
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(_NICE)
    _bound_memory(memory_mb)


def _end_with_parent() -> None:
    """A parent that is killed tells nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _bound_memory(memory_mb: int | None) -> None:
    if memory_mb is None:
        return
    try:
        import resource
    except ImportError:  # Windows offers none
        return
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
