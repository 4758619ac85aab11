"""Runs searches: what their models make in the engine's turns, and the rest in worker processes, or beside them."""

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
from runtime.scheduling.scheduler import Observe, Scheduler
from runtime.scheduling.work import Search, Work
from runtime.scheduling.workers import Workers

T = TypeVar("T")
_BESIDE = 4  # searches without workers at a time: each has its memory, most wait for their turn
_LOOK_S = 0.05  # between looks whether a result is still wanted
_FOR_EACH_WORKER = 4  # searches at a time: while some wait for their model, and are written together, others are solved


class InEngine:
    """Hands of a process without workers: everything is done where it is asked for, in the engine's thread.

    `wanted`: whether anybody still waits for the result.
    """

    def __init__(self, engine: Engine, wanted: Callable[[], bool] = lambda: True) -> None:
        self.run, self.wanted = engine.run, wanted

    def turn(self, queue: str, function: Callable[[], T]) -> T:
        """At once."""
        del queue
        return function()

    def each(self, function: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> Generator[T, None, None]:
        """One by one, each when it is asked for; Abandoned once nobody waits for the result."""
        for given in arguments:
            if not self.wanted():
                raise Abandoned
            yield function(*given)


class Searches:
    """Takes searches in their turn, and has a thread for each that runs; they do no work in it but wait for it. Without
    workers they do their work in it.

    `models` is the scheduler of what runs in the engine's thread.
    """

    def __init__(
        self, engine: Engine, models: Scheduler, workers: Workers | None, max_queued: int, observe: Observe
    ) -> None:
        self.workers = workers
        self._engine, self._models = engine, models
        count = _BESIDE if workers is None else _FOR_EACH_WORKER * workers.count
        give_way = sharing.give_way if engine.share else None
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="search", initializer=give_way)
        self.scheduler = Scheduler(
            self._threads.submit, self._run, max_queued=max_queued, at_once=count, observe=observe
        )

    def close(self) -> None:
        """Answer what waits with SHUTTING_DOWN, finish what runs, end the workers."""
        self.scheduler.close()
        self._threads.shutdown(wait=True)
        if self.workers is not None:
            self.workers.close()

    def _run(self, job: Job) -> Any:
        assert isinstance(job.work, Search)
        return job.work.run(_InTurn(self._engine, self._models, self.workers, job))


class _InTurn:
    """Hands of one search that runs. Raises Abandoned where nobody waits for it any more."""

    def __init__(self, engine: Engine, scheduler: Scheduler, workers: Workers | None, job: Job) -> None:
        self._engine, self._scheduler, self._workers, self._job = engine, scheduler, workers, job
        self._parts = itertools.count()
        # A flow of its own: one that is congested would keep this thread, and all searches that wait for it.
        self._flow = Flow(job.client)

    def run(self, model: ModelFile, method: str, *arguments: NDArray[Any] | int) -> NDArray[Any]:
        """In the engine's next turn for work as urgent as the search."""
        call = functools.partial(self._engine.run, model, method, *arguments)
        return self._in_turn(model.card.name, call, self._engine.batch(model, method, arguments))

    def turn(self, queue: str, function: Callable[[], T]) -> T:
        """In the engine's next turn for work as urgent as the search."""
        return self._in_turn(queue, function)

    def _in_turn(self, queue: str, function: Callable[[], T], batch: Batch | None = None) -> T:
        key = b"part%d of %d " % (next(self._parts), id(self._job)) + self._job.work.key
        call = self._scheduler.submit(Work(queue, key, function, batch), self._flow, self._job.priority)
        made: T = self._result(call.future)
        return made

    def wanted(self) -> bool:
        """Whether a call still waits for the search."""
        return not self._job.abandoned

    def each(self, function: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> Generator[T, None, None]:
        """All at once, as far as there are workers; without any, one by one."""
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
        while not wait([future], _LOOK_S).done:
            if self._job.abandoned:
                future.cancel()
                raise Abandoned
        return future.result()
