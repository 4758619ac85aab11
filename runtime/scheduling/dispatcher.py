"""From checked work to its result: one that is kept, one that is being made already, or one made in its turn."""

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
from runtime.scheduling.results import Cache, DiskCache
from runtime.scheduling.scheduler import MAX_QUEUED, Observe, Scheduler
from runtime.scheduling.searches import InEngine, Searches
from runtime.scheduling.work import Search, Work
from runtime.scheduling.workers import Workers
from runtime.wire import arrays
from runtime.wire.protocol import Packed, pack

logger = logging.getLogger(__name__)


class _Answering:
    """A thread that calls what is put, in its order. (An executor does so too, but costs who hands over more than the
    answer would.)
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self.put = self._queue.put
        self._thread = threading.Thread(target=self._answer, name="answers", daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        while (answer := self._queue.get()) is not None:
            try:
                answer()
            except Exception:  # a fault of ours: those that come after must have their answers all the same
                logger.exception("an answer was not given to the end")

    def close(self) -> None:
        """Finish what was put."""
        self._queue.put(None)
        self._thread.join()


class Runner:
    """Runs work in the engine's thread, searches in `workers` if there are any, and keeps what they give.

    `max_queued`: calls that may wait in one model's queue, of one priority. Results of `start` are kept in `cache`, and
    in `disk` if there is one. `observe` is the scheduler's.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_queued: int = MAX_QUEUED,
        cache: Cache | None = None,
        disk: DiskCache | None = None,
        observe: Observe = lambda *_: None,
        workers: Workers | None = None,
    ) -> None:
        self._engine, self.disk = engine, disk
        self.cache = Cache() if cache is None else cache
        self.misses = 0  # of all tiers
        self._answering = _Answering()
        self.scheduler = Scheduler(
            engine.submit, self._run, hand_back=self._answering.put, max_queued=max_queued, observe=observe
        )
        self._beside = Searches(engine, self.scheduler, None, max_queued, observe)
        self._searches = Searches(engine, self.scheduler, workers, max_queued, observe) if workers else None
        self._all = [s for s in (self._searches, self._beside) if s is not None]
        self.workers = workers  # the processes that search, if there are any

    def depths(self) -> dict[str, int]:
        """How many calls wait in each queue that has any."""
        depths = Counter(self.scheduler.depths())
        for searches in self._all:
            depths.update(searches.scheduler.depths())
        return dict(depths)

    @property
    def busy(self) -> int:
        """Calls that wait, and jobs that run."""
        return self.scheduler.busy + sum(searches.scheduler.busy for searches in self._all)

    def start(self, work: Work | Search, options: Options, flow: Flow) -> Packed | asyncio.Future[Packed]:
        """The packed result if it is kept in memory, else a future of it. Cancelled, it gives its place up.

        Raises:
            RpcError: OVERLOADED where too many wait already. In the future also DEADLINE_EXCEEDED, and what the work
                raises.
        """
        if (kept := self.cache.get(work.key)) is not None:
            return kept
        if self.disk is not None and work.key in self.disk:
            return asyncio.ensure_future(self._read(self.disk, work, options, flow))
        self.misses += 1
        return self._queue(work, options, flow)

    def run(self, work: Work | Search, options: Options) -> Any:
        """The result itself, waited for, by a thread without an event loop. Nothing is kept. Errors as `start`.

        Where the thread is interrupted, the work is abandoned.
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
        """Answer what waits with SHUTTING_DOWN, finish what runs, stop the engine."""
        for searches in self._all:
            searches.close()
        self.scheduler.close()
        self._engine.close()
        self._answering.close()
        if self.disk is not None:
            self.disk.close()

    def _run(self, job: Job) -> Any:
        """In the engine's thread."""
        work = job.work
        hands = InEngine(self._engine, lambda: not job.abandoned)
        run = functools.partial(work.run, hands) if isinstance(work, Search) else work.run
        return self._engine.run_while_wanted(run, lambda: job.abandoned)

    def _queue(self, work: Work | Search, options: Options, flow: Flow) -> asyncio.Future[Packed]:
        call = self._submit(self._kept(work), options, flow)
        answer = asyncio.wrap_future(call.future)
        if call.deadline_s is not None:
            timer = asyncio.get_running_loop().call_later(call.deadline_s, call.expire)
            answer.add_done_callback(lambda _: timer.cancel())
        return answer

    def _kept(self, work: Work | Search) -> Work | Search:
        """The same with its result packed, and kept."""
        key = b"packed" + work.key
        if isinstance(work, Search):
            search = work
            return search._replace(key=key, run=lambda hands: self._keep(search.key, search.run(hands)))
        return work._replace(key=key, finish=functools.partial(self._keep, work.key))

    def _keep(self, key: bytes, made: Any) -> Packed:
        result = pack(arrays.to_wire(made))
        self.cache.put(key, result)
        if self.disk is not None:
            self.disk.write(key, result)
        return result

    async def _read(self, disk: DiskCache, work: Work | Search, options: Options, flow: Flow) -> Packed:
        """The result from the disk, or made again if it can't be read."""
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
            return self._beside.scheduler
        return self.scheduler if self._searches is None else self._searches.scheduler
