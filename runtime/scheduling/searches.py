"""Runs searches: their model calls in the engine's thread, the rest in worker processes or in threads here."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from numpy.typing import NDArray

from runtime import sharing
from runtime.batching import Batch
from runtime.engine import Abandoned, Engine
from runtime.registry import ModelFile
from runtime.scheduling.jobs import Flow, Job
from runtime.scheduling.scheduler import Observer, Scheduler
from runtime.scheduling.work import Search, Work
from runtime.scheduling.workers import Workers

T = TypeVar("T")
_WITHOUT_WORKERS = 4  # searches at a time: each takes memory, and most wait for the engine
_POLL_S = 0.05  # between checks whether a search is abandoned
_FOR_EACH_WORKER = 4  # searches at a time: while some wait for the model (in one batch), the workers solve others


class InEngine:
    """An Executor without workers: runs everything at once in the calling thread, which is the engine's.

    `wanted`: whether anyone still waits for the result.
    """

    def __init__(self, engine: Engine, wanted: Callable[[], bool] = lambda: True) -> None:
        self.run, self.wanted = engine.run, wanted

    def turn(self, queue: str, function: Callable[[], T]) -> T:
        """Call `function` at once."""
        del queue
        return function()

    def each(self, function: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> Generator[T, None, None]:
        """Run them one by one, each when its result is asked for. Raises Abandoned once nobody waits for the search."""
        for given in arguments:
            if not self.wanted():
                raise Abandoned
            yield function(*given)


class Searches:
    """A scheduler for searches, with one thread for each search that runs.

    With workers, that thread only waits for the engine and the workers; without, it does the search itself.

    Args:
        engine: runs the models.
        models: the scheduler of the engine's thread.
        workers: the processes for searches, if there are any.
        max_queued: how many searches of one method and priority may wait.
        observe: called after each run, as `Scheduler` says.
    """

    def __init__(
        self, engine: Engine, models: Scheduler, workers: Workers | None, max_queued: int, observe: Observer
    ) -> None:
        self.workers = workers
        self._engine, self._models = engine, models
        count = _WITHOUT_WORKERS if workers is None else _FOR_EACH_WORKER * workers.count
        give_way = sharing.give_way if engine.share else None
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="search", initializer=give_way)
        self.scheduler = Scheduler(
            self._threads.submit, self._run, max_queued=max_queued, at_once=count, observe=observe
        )

    def close(self) -> None:
        """Fail calls that wait with SHUTTING_DOWN, finish those that run, end the workers."""
        self.scheduler.close()
        self._threads.shutdown(wait=True)
        if self.workers is not None:
            self.workers.close()

    def _run(self, job: Job) -> Any:
        assert isinstance(job.work, Search)
        return job.work.run(_InTurn(self._engine, self._models, self.workers, job))


class _InTurn:
    """The Executor of one search. Its methods raise Abandoned once nobody waits for the search."""

    def __init__(self, engine: Engine, scheduler: Scheduler, workers: Workers | None, job: Job) -> None:
        self._engine, self._scheduler, self._workers, self._job = engine, scheduler, workers, job
        self._parts = itertools.count()
        # It has its own flow: a congested one would block this thread, and all searches that wait for it.
        self._flow = Flow(job.client)

    def run(self, model: ModelFile, method: str, *arguments: NDArray[Any] | int) -> NDArray[Any]:
        """Run a model in the engine's thread, with the priority of the search."""
        call = functools.partial(self._engine.run, model, method, *arguments)
        return self._in_turn(model.card.name, call, self._engine.batch(model, method, arguments))

    def turn(self, queue: str, function: Callable[[], T]) -> T:
        """Call `function` in the engine's thread, with the priority of the search."""
        return self._in_turn(queue, function)

    def _in_turn(self, queue: str, function: Callable[[], T], batch: Batch | None = None) -> T:
        key = b"part%d of %d " % (next(self._parts), id(self._job)) + self._job.work.key
        call = self._scheduler.submit(Work(queue, key, function, batch), self._flow, self._job.priority)
        result: T = self._result(call.future)
        return result

    def wanted(self) -> bool:
        """Whether a call still waits for the search."""
        return not self._job.abandoned

    def each(self, function: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> Generator[T, None, None]:
        """Run them in parallel in the workers; without workers, one by one in this thread."""
        if self._workers is None:
            for given in arguments:
                yield function(*given)
            return
        futures = [self._workers.submit(function, *given) for given in arguments]
        try:
            for future in futures:
                yield self._result(future)
        finally:
            for future in futures:
                future.cancel()

    def _result(self, future: Future[T]) -> T:
        while not self._job.abandoned:
            if wait([future], _POLL_S).done:
                return future.result()
        future.cancel()
        raise Abandoned
