"""Decides which request runs next: bounded queues, priorities, a fair share for each connection, deadlines.

Theory of operation. A `Call` is a request that waits; a `Job` is the work that it waits for. Calls for equal work share
one job (single flight). A job that no call waits for any more is abandoned.

The scheduler has no thread of its own. For each call that waits it hands over a ticket: a function for the engine's
thread (or, for searches, one of theirs). What a ticket runs is decided when it is called. So urgent work that came last
still goes first, cancelled work costs nothing, and the engine never waits for an event loop. The engine's thread
neither packs results nor wakes the callers: it hands results back to another thread, and takes the next ticket. The
call that runs next is

1. of the highest priority;
2. of the client whose calls have run for the least time, and of this client's connections, of the one whose calls have
   run for the least time (`runtime.scheduling.fairness`: neither idling nor reconnecting gains anything);
3. the oldest of that connection.

Work of the same kind can be one run, where that is faster (`runtime.batching`): the call that is next takes others of
its priority with it.

A connection that does not read its responses is congested: its calls wait until it has read them. So it can't make the
runtime store more and more results for it.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from runtime.batching import Batch
from runtime.errors import Code, RpcError
from runtime.scheduling.fairness import FairQueue
from runtime.scheduling.jobs import Call, Flow, Job, Priority
from runtime.scheduling.work import Search, Work

logger = logging.getLogger(__name__)

MAX_QUEUED = 512  # calls that wait in one queue, of one priority
RETRY_MS = (100, 60_000)  # least and most time that an overloaded client is told to wait
_NEWEST = 0.2  # weight of the latest run in the moving average of a queue's run time


Observer = Callable[[str, float, float, int, int], None]
Outcome = tuple[Any, BaseException | None]  # a result, or why there is none


class Scheduler:
    """Queues calls and runs them. All methods may be called from any thread.

    Args:
        hand_over: takes a ticket, and calls it once in a thread that runs work.
        run: does one job in that thread; returns its result or raises.
        hand_back: takes a function that completes the calls, and calls it once, in a thread where it delays nobody.
        max_queued: how many calls of one priority may wait in one queue.
        at_once: how many threads run work.
        observe: called after each run with its queue, the seconds waited, the seconds run, how many jobs it did, and
            how many calls waited for them.
    """

    def __init__(
        self,
        hand_over: Callable[[Callable[[], None]], object],
        run: Callable[[Job], Any],
        *,
        hand_back: Callable[[Callable[[], None]], object] = lambda complete: complete(),
        max_queued: int = MAX_QUEUED,
        at_once: int = 1,
        observe: Observer = lambda *_: None,
    ) -> None:
        self._hand_over, self._run, self._hand_back = hand_over, run, hand_back
        self._max_queued, self._at_once, self._observe = max_queued, at_once, observe
        self._lock = threading.Lock()
        self._arrival = threading.Condition(self._lock)
        self._jobs: dict[bytes, Job] = {}  # by key: those that wait, and those that run
        self._queues = {priority: FairQueue() for priority in Priority}
        self._depths: Counter[tuple[str, Priority]] = Counter()
        self._seconds: dict[str, float] = {}  # average time of a run, by queue
        self._tickets = 0  # handed over, not yet called
        self._running = 0
        self._closed = False

    def submit(
        self, work: Work | Search, flow: Flow, priority: Priority = Priority.NORMAL, deadline_s: float | None = None
    ) -> Call:
        """Queue a call for `work`, or let it join a job for equal work.

        Args:
            work: what to do.
            flow: the connection that the call came over.
            priority: which queue it waits in.
            deadline_s: seconds from now after which the call fails with DEADLINE_EXCEEDED; None: never.

        Raises:
            RpcError: OVERLOADED, with `retry_after_ms`, if the queue is full; SHUTTING_DOWN after `close`.
        """
        with self._lock:
            if self._closed:
                raise RpcError(Code.SHUTTING_DOWN, "the runtime is shutting down")
            job = self._jobs.get(work.key) or Job(work)
            call = Call(job, flow, priority, deadline_s)
            if not job.running:
                self._enqueue(call)
            job.calls.add(call)
            self._jobs[work.key] = job
            self._arrival.notify_all()
        call.future.add_done_callback(lambda _: self._leave(call))
        return call

    def wake(self, flow: Flow) -> None:
        """Look again for calls that can run: `flow` is no longer congested."""
        with self._lock:
            for queue in self._queues.values():
                queue.wake(flow)
            self._issue_tickets()

    def depths(self) -> dict[str, int]:
        """How many calls wait, for each queue that is not empty."""
        with self._lock:
            depths: Counter[str] = Counter()
            for (queue, _), depth in self._depths.items():
                depths[queue] += depth
            return dict(+depths)

    @property
    def busy(self) -> int:
        """How many calls wait, plus how many jobs run."""
        with self._lock:
            return self._depths.total() + self._running

    def close(self) -> None:
        """Take no more calls, and fail those that wait with SHUTTING_DOWN. Jobs that run go on."""
        with self._lock:
            self._closed = True
            calls = [call for job in self._jobs.values() if not job.running for call in job.calls]
        for call in calls:
            call.fail(RpcError(Code.SHUTTING_DOWN, "the runtime shut down before this was begun"))

    def _enqueue(self, call: Call) -> None:
        place = call.job.work.queue, call.priority
        if self._depths[place] >= self._max_queued:
            raise self._overloaded(*place)
        call.flow.schedulers.add(self)
        self._queues[call.priority].add(call)
        self._depths[place] += 1
        self._issue_tickets()

    def _overloaded(self, queue: str, priority: Priority) -> RpcError:
        depth = self._depths[queue, priority]
        ahead = sum(
            waiting * self._seconds.get(other, 0.0) for (other, its), waiting in self._depths.items() if its <= priority
        )
        least, most = RETRY_MS
        wait_ms = min(max(round(1000 * ahead / self._at_once), least), most)
        return RpcError(
            Code.OVERLOADED,
            f"{depth} requests of {priority.name.lower()} priority wait for {queue} already; try again in {wait_ms} ms",
            {"retry_after_ms": wait_ms, "queue": queue, "queue_depth": depth},
        )

    def _dequeue(self, call: Call) -> None:
        """Remove a call that will not run from its queue, if it is there."""
        queue = self._queues[call.priority]
        if call in queue:
            queue.remove(call)
            self._depths[call.job.work.queue, call.priority] -= 1

    def _leave(self, call: Call) -> None:
        """Forget a call that is done, cancelled or expired."""
        with self._lock:
            self._dequeue(call)
            job = call.job
            job.calls.discard(call)
            if not job.calls:
                job.abandoned = True
                self._forget(job)

    def _forget(self, job: Job) -> None:
        if self._jobs.get(job.work.key) is job:
            del self._jobs[job.work.key]

    def _issue_tickets(self) -> None:
        while self._tickets < self._depths.total():
            self._hand_over(self._run_next)
            self._tickets += 1

    def _run_next(self) -> None:
        """What a ticket does: run the next call. Does nothing if all calls have left or are congested."""
        late: list[Call] = []
        with self._lock:
            self._tickets -= 1
            due = self._take(late)
            together = [] if due is None else self._begin(due)
        for call in late:
            call.expire()
        if together:
            self._do(together)

    def _take(self, late: list[Call]) -> Call | None:
        """The call that is next. Expired calls are removed from the queue and added to `late`."""
        for queue in self._queues.values():
            while (call := queue.next()) is not None:
                if call.expires is None or time.monotonic() < call.expires:
                    return call
                self._dequeue(call)
                late.append(call)
        return None

    def _begin(self, due: Call) -> list[Call]:
        """The call and those that share its run: of the same kind, up to `max_batch_size`, within `max_wait_time`."""
        together = [due]
        self._mark_running(due)
        batch = _batch(due.job)
        if batch is None or batch.size >= batch.limits.max_batch_size:
            return together
        size, ends = batch.size, time.monotonic() + batch.limits.max_wait_time
        while True:
            for call, its in list(self._alike(batch, due.priority)):
                if not call.job.running and size + its.size <= batch.limits.max_batch_size:
                    self._mark_running(call)
                    together.append(call)
                    size += its.size
            left = ends - time.monotonic()
            if size >= batch.limits.max_batch_size or left <= 0 or self._depths.total():
                return together  # it waits for others only while there is nothing else to do
            self._arrival.wait(left)

    def _alike(self, batch: Batch, priority: Priority) -> Iterator[tuple[Call, Batch]]:
        for call in self._queues[priority]:
            its = _batch(call.job)
            if its is not None and its.alike == batch.alike:
                yield call, its

    def _mark_running(self, due: Call) -> None:
        """The call runs now. Others for the same job leave their queues, and wait for its result."""
        due.job.running = True
        self._running += 1
        self._queues[due.priority].begin(due)
        self._depths[due.job.work.queue, due.priority] -= 1
        for call in due.job.calls:
            self._dequeue(call)

    def _do(self, together: list[Call]) -> None:
        waited, began = time.monotonic() - together[0].asked, time.perf_counter()
        outcomes = self._outcomes([call.job for call in together])
        seconds = time.perf_counter() - began
        share = seconds / len(together)
        queue = together[0].job.work.queue
        with self._lock:
            mean = self._seconds.setdefault(queue, share)
            self._seconds[queue] = mean + _NEWEST * (share - mean)
            for due in together:
                self._queues[due.priority].end(due, share)
        self._hand_back(functools.partial(self._complete, together, outcomes, waited, seconds))

    def _complete(self, together: list[Call], outcomes: list[Outcome], waited: float, seconds: float) -> None:
        finished = [_finished(call.job, outcome) for call, outcome in zip(together, outcomes, strict=True)]
        completed = []
        with self._lock:
            for due, outcome in zip(together, finished, strict=True):
                self._running -= 1
                self._forget(due.job)
                completed += [(call, *outcome) for call in due.job.calls]
        self._observe(together[0].job.work.queue, waited, seconds, len(together), len(completed))
        for call, result, error in completed:
            call.succeed(result) if error is None else call.fail(error)

    def _outcomes(self, jobs: list[Job]) -> list[Outcome]:
        """The result or the error of each job. No exception may be lost, or its callers would wait for ever."""
        batches = [batch for job in jobs if (batch := _batch(job)) is not None]
        if len(jobs) > 1:
            try:
                return [(result, None) for result in batches[0].run([batch.arguments for batch in batches])]
            except Exception as error:  # caused by one of them: the others must not fail with it
                logger.info("%d requests that were run together failed, and are run one by one: %s", len(jobs), error)
        return [self._outcome(job) for job in jobs]

    def _outcome(self, job: Job) -> Outcome:
        try:
            return self._run(job), None
        except BaseException as error:
            return None, error


def _batch(job: Job) -> Batch | None:
    return job.work.batch if isinstance(job.work, Work) else None


def _finished(job: Job, outcome: Outcome) -> Outcome:
    finish = job.work.finish if isinstance(job.work, Work) else None
    result, error = outcome
    if finish is None or error is not None:
        return outcome
    try:
        return finish(result), None
    except BaseException as error:  # no exception may be lost: callers wait for it
        return None, error
