"""Takes checked work and gives its result: from the result cache, or from a run that the scheduler decides on."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections import Counter
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from runtime.engine import Engine
from runtime.parameters import Options
from runtime.scheduling.jobs import Call, Flow, Job, Priority
from runtime.scheduling.results import DiskCache, MemoryCache
from runtime.scheduling.scheduler import MAX_QUEUED, Observer, Scheduler
from runtime.scheduling.searches import InEngine, Searches
from runtime.scheduling.work import Search, Work
from runtime.scheduling.workers import Workers
from runtime.wire import arrays
from runtime.wire.protocol import Packed, pack

logger = logging.getLogger(__name__)


class _ResponseThread:
    """A thread that calls functions in the order in which they are put. Each packs results and completes futures.

    (A ThreadPoolExecutor does this too, but its `submit` takes longer than most of these functions.)
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self.put = self._queue.put
        self._thread = threading.Thread(target=self._run, name="responses", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (respond := self._queue.get()) is not None:
            try:
                respond()
            except Exception:  # a bug here; later calls must get their responses all the same
                logger.exception("a response failed")

    def close(self) -> None:
        """Call what was put so far, then end the thread."""
        self._queue.put(None)
        self._thread.join()


class Dispatcher:
    """Hands work to the engine's thread and searches to the workers, and caches their results.

    Args:
        engine: runs the models; `close` closes it.
        max_queued: how many calls of one priority may wait in one model's queue.
        cache: the result cache in memory, for results of `start`.
        disk: the result cache on disk, if there is one.
        observe: called after each run, as `Scheduler` says.
        workers: processes for searches; without them, searches run in this process.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_queued: int = MAX_QUEUED,
        cache: MemoryCache | None = None,
        disk: DiskCache | None = None,
        observe: Observer = lambda *_: None,
        workers: Workers | None = None,
    ) -> None:
        self._engine, self.disk = engine, disk
        self.cache = MemoryCache() if cache is None else cache
        self.misses = 0  # results that were in neither cache
        self._responses = _ResponseThread()
        self.scheduler = Scheduler(
            engine.submit, self._run, hand_back=self._responses.put, max_queued=max_queued, observe=observe
        )
        self._compiled = Searches(engine, self.scheduler, None, max_queued, observe)
        self._searches = Searches(engine, self.scheduler, workers, max_queued, observe) if workers else None
        self._all = [s for s in (self._searches, self._compiled) if s is not None]
        self.workers = workers  # the processes for searches, if there are any

    def depths(self) -> dict[str, int]:
        """How many calls wait, for each queue that is not empty."""
        depths = Counter(self.scheduler.depths())
        for searches in self._all:
            depths.update(searches.scheduler.depths())
        return dict(depths)

    @property
    def busy(self) -> int:
        """How many calls wait, plus how many jobs run."""
        return self.scheduler.busy + sum(searches.scheduler.busy for searches in self._all)

    def start(self, work: Work | Search, options: Options, flow: Flow) -> Packed | asyncio.Future[Packed]:
        """The packed result if it is cached in memory, else a future of it. Cancel the future to leave the queue.

        Args:
            work: what to do.
            options: the request's deadline and priority.
            flow: the connection that the request came over.

        Raises:
            RpcError: OVERLOADED if too many calls wait. The future may also raise DEADLINE_EXCEEDED, and what the work
                raises.
        """
        if (cached := self.cache.get(work.key)) is not None:
            return cached
        if self.disk is not None and work.key in self.disk:
            return asyncio.ensure_future(self._read(self.disk, work, options, flow))
        self.misses += 1
        return self._queue(work, options, flow)

    def run(self, work: Work | Search, options: Options) -> Any:
        """The result itself, for a thread without an event loop, which waits for it. It is not cached.

        If the thread is interrupted, the work is abandoned. Errors are those of `start`.
        """
        call = self._submit(work, options, Flow())
        try:
            return call.future.result(call.deadline_s)
        except TimeoutError:
            call.expire()
            return call.future.result()
        except KeyboardInterrupt:
            call.future.cancel()
            raise

    def close(self) -> None:
        """Fail calls that wait with SHUTTING_DOWN, finish those that run, stop the engine."""
        for searches in self._all:
            searches.close()
        self.scheduler.close()
        self._engine.close()
        self._responses.close()
        if self.disk is not None:
            self.disk.close()

    def _run(self, job: Job) -> Any:
        """In the engine's thread."""
        work = job.work
        executor = InEngine(self._engine, lambda: not job.abandoned)
        run = functools.partial(work.run, executor) if isinstance(work, Search) else work.run
        return self._engine.run_unless_abandoned(run, lambda: job.abandoned)

    def _queue(self, work: Work | Search, options: Options, flow: Flow) -> asyncio.Future[Packed]:
        call = self._submit(self._cached(work), options, flow)
        response = asyncio.wrap_future(call.future)
        if call.deadline_s is not None:
            timer = asyncio.get_running_loop().call_later(call.deadline_s, call.expire)
            response.add_done_callback(lambda _: timer.cancel())
        return response

    def _cached(self, work: Work | Search) -> Work | Search:
        """The same work; its result will be packed and stored in the caches."""
        key = b"packed" + work.key
        if isinstance(work, Search):
            search = work
            return search._replace(key=key, run=lambda executor: self._store(search.key, search.run(executor)))
        return work._replace(key=key, finish=functools.partial(self._store, work.key))

    def _store(self, key: bytes, value: Any) -> Packed:
        result = pack(arrays.to_wire(value))
        self.cache.put(key, result)
        if self.disk is not None:
            self.disk.write(key, result)
        return result

    async def _read(self, disk: DiskCache, work: Work | Search, options: Options, flow: Flow) -> Packed:
        """The result from disk; if it can't be read, the work is done again."""
        result = await asyncio.wrap_future(disk.read(work.key))
        if result is None:
            return await self._queue(work, options, flow)
        self.cache.put(work.key, result)
        return result

    def _submit(self, work: Work | Search, options: Options, flow: Flow) -> Call:
        deadline_s = None if options.deadline_ms is None else options.deadline_ms / 1000
        return self._scheduler(work).submit(work, flow, Priority[options.priority.upper()], deadline_s)

    def _scheduler(self, work: Work | Search) -> Scheduler:
        if isinstance(work, Work):
            return self.scheduler
        if work.compiled:
            return self._compiled.scheduler
        return self.scheduler if self._searches is None else self._searches.scheduler
