"""Worker processes, for work in Python that would block the event loop or the engine: above all, searches.

Theory of operation. When a process of a `concurrent.futures` pool dies, the pool fails all its tasks; and it can't stop
one task that runs. So each worker here is a pool with one process: if that dies, one task is affected, and one task
is stopped by killing its process. Tasks wait in a queue until a worker is free.

- A worker that dies is replaced. Its task is tried once more; if the worker dies again, the task fails with
  WORKER_FAILED.
- A task that is cancelled while it runs has GRACE_S to stop. Most do: solvers check whether they are still needed
  (runtime/content/levels/watch.py). Otherwise its worker is killed and replaced.
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
LEAST_MB = 256  # with less, a process can't start
GRACE_S = 1.0
TRIES = 2
_NICE = 5  # the engine, which players wait for, goes first on a shared core


def default_count() -> int:
    """The default number of workers: one for each core, at most MOST_BY_DEFAULT."""
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
    """One process, replaced when it dies. `born`: a future of its process id; `ready`: done when it is prepared."""

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
    """`count` worker processes. All methods may be called from any thread.

    `memory_mb` limits the memory of each process; `prepare` is called in each before its first task.
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
        """Start the processes, without waiting for them. Does nothing the second time.

        The first one starts alone: it compiles the solvers, and the others then load the compiled code.
        """
        with self._lock:
            if self._workers or self._closed:
                return
            first = self._new_worker()
        first.ready.add_done_callback(lambda _: _apart(self._start_rest))
        self._give_out()

    @property
    def busy(self) -> int:
        """How many workers have a task."""
        with self._lock:
            return len(self._workers) - len(self._idle)

    def pids(self) -> list[int]:
        """The process ids of the workers that run."""
        with self._lock:
            born = [worker.born for worker in self._workers]
        return [b.result() for b in born if b.done() and not b.cancelled() and b.exception() is None]

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Call `function`, which must be one of a module, in a worker. Cancel the future to stop it.

        The future raises what the function raises, or an RpcError: WORKER_FAILED if two workers died of it or it
        needed too much memory, SHUTTING_DOWN after `close`.
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
        """Fail tasks that wait or run with SHUTTING_DOWN, and kill the processes."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            workers = list(self._workers)
            running = [worker.task for worker in workers if worker.task is not None]
        for task in waiting + running:
            task.fail(_shutting_down())
        for worker in workers:
            worker.kill()  # idle ones too: they would take longer to exit by themselves
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
            if not task.future.done():  # else it was killed because its task was cancelled
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
        """Forget a task that was cancelled."""
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
    """Call `function` in a new thread: a broken pool calls back with its lock held, so using it here would deadlock."""
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
    """Set up a new process before its first task."""
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a terminal or service manager sends them to all processes: the parent drains
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(_NICE)
    _bound_memory(memory_mb)


def _end_with_parent() -> None:
    """End this process when the parent ends, even if the parent is killed."""
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
