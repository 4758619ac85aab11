"""Decides which request runs next: bounded queues, priorities, a fair share for each connection, deadlines.

Theory of operation. A `Call` is a request that waits; a `Job` is the work that it waits for. Calls for equal work share
one job, however many ask (single flight), and a job that no call waits for any more is abandoned.

The scheduler has no thread. For each call that waits it hands over a ticket, to be called in the engine's thread (or,
for searches, in one of theirs); what a ticket runs is decided when its turn comes. So urgent work goes first though it
came last, what was cancelled costs nothing, and the engine never waits for an event loop. The call that is due is

1. of the highest priority;
2. among its connections, of the one whose calls have run for the least time. A connection that has had nothing to
   do starts level with the others: time can't be saved up;
3. the oldest of that connection.

A connection that does not read its answers is congested: its calls wait until it has read them, so that it can't make
the runtime keep more and more results for it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from enum import IntEnum
from typing import Any
from weakref import WeakKeyDictionary

from runtime.errors import Code, RpcError
from runtime.work import Search, Work

MAX_QUEUED = 512  # calls that wait in one queue, of one priority
RETRY_MS = (100, 60_000)  # the least and the most that an overloaded client is told to wait
_NEWEST = 0.2  # how much the latest run counts in the mean time of a queue's runs


Observe = Callable[[str, float, float, int], None]


class Priority(IntEnum):
    """What goes first. Strictly: while anything of a higher priority waits, nothing of a lower one starts."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Flow:
    """Whose calls are together: those of one connection, or of one thread of this process."""

    def __init__(self) -> None:
        self.congested = False  # set by its connection, and ended by `clear`
        self.schedulers: set[Scheduler] = set()  # that have had calls of it

    def clear(self) -> None:
        """It is congested no more."""
        self.congested = False
        for scheduler in list(self.schedulers):
            scheduler.wake()


class _Lane:
    """A flow's calls of one priority, and the seconds they have used."""

    def __init__(self) -> None:
        self.used_s = 0.0
        self.waiting: dict[Call, None] = {}  # in the order they came


class Job:
    """Work that is waited for."""

    def __init__(self, work: Work | Search) -> None:
        self.work = work
        self.calls: set[Call] = set()
        self.running = False
        self.abandoned = False  # nobody waits for it any more: it may stop where it is

    @property
    def priority(self) -> Priority:
        """Of the most urgent call that waits for it."""
        return min((call.priority for call in list(self.calls)), default=Priority.LOW)


class Call:
    """A request that waits for its job. `future` gets the result, or the error; cancel it to leave."""

    def __init__(self, job: Job, flow: Flow, priority: Priority, deadline_s: float | None) -> None:
        self.job, self.flow, self.priority = job, flow, priority
        self.deadline_s = deadline_s
        self.asked = time.monotonic()
        self.expires = None if deadline_s is None else self.asked + deadline_s
        self.future: Future[Any] = Future()

    def expire(self) -> None:
        """Answer that it is too late."""
        assert self.deadline_s is not None
        message = f"not done within the {1000 * self.deadline_s:.0f} ms that the request allowed"
        self.fail(RpcError(Code.DEADLINE_EXCEEDED, message))

    def fail(self, error: BaseException) -> None:
        """Answer with an error, unless it is answered already."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)

    def succeed(self, result: Any) -> None:
        """Answer with a result, unless it is answered already."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_result(result)


class Scheduler:
    """Queues calls, and runs them in tickets.

    `hand_over` takes a ticket and calls it, once, in a thread that runs work. `run` does a job there, and returns its
    result or raises; `observe` is told of each: its queue, seconds waited and run, and how many calls it answers.
    Everything else may be called from any thread.
    """

    def __init__(
        self,
        hand_over: Callable[[Callable[[], None]], object],
        run: Callable[[Job], Any],
        *,
        max_queued: int = MAX_QUEUED,
        observe: Observe = lambda *_: None,
    ) -> None:
        self._hand_over, self._run, self._max_queued, self._observe = hand_over, run, max_queued, observe
        self._lock = threading.Lock()
        self._jobs: dict[bytes, Job] = {}  # by key; those that wait and the one that runs
        self._lanes: WeakKeyDictionary[Flow, dict[Priority, _Lane]] = WeakKeyDictionary()
        self._flows: dict[Priority, dict[Flow, _Lane]] = {priority: {} for priority in Priority}  # that have calls
        self._level = dict.fromkeys(Priority, 0.0)  # the used seconds that a flow with nothing to do starts with
        self._depths: Counter[tuple[str, Priority]] = Counter()
        self._seconds: dict[str, float] = {}  # mean time of a run, by queue
        self._tickets = 0  # handed over, not yet called
        self._running = 0
        self._closed = False

    def submit(
        self, work: Work | Search, flow: Flow, priority: Priority = Priority.NORMAL, deadline_s: float | None = None
    ) -> Call:
        """A call for this work.

        Raises:
            RpcError: OVERLOADED, with `retry_after_ms`, where the queue is full; SHUTTING_DOWN after `close`.
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
        call.future.add_done_callback(lambda _: self._leave(call))
        return call

    def wake(self) -> None:
        """Look again for what can run: a flow is congested no more."""
        with self._lock:
            self._issue_tickets()

    def depths(self) -> dict[str, int]:
        """How many calls wait in each queue that has any."""
        with self._lock:
            depths: Counter[str] = Counter()
            for (queue, _), depth in self._depths.items():
                depths[queue] += depth
            return dict(+depths)

    @property
    def busy(self) -> int:
        """Calls that wait, and jobs that run."""
        with self._lock:
            return self._depths.total() + self._running

    def close(self) -> None:
        """Take no more calls, and answer those that wait with SHUTTING_DOWN; what runs goes on."""
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
        lane = self._lane(call)
        if not lane.waiting:
            lane.used_s = max(lane.used_s, self._level[call.priority])
            self._flows[call.priority][call.flow] = lane
        lane.waiting[call] = None
        self._depths[place] += 1
        self._issue_tickets()

    def _lane(self, call: Call) -> _Lane:
        lanes = self._lanes.setdefault(call.flow, {})
        return lanes.setdefault(call.priority, _Lane())

    def _overloaded(self, queue: str, priority: Priority) -> RpcError:
        depth = self._depths[queue, priority]
        least, most = RETRY_MS
        wait_ms = min(max(round(1000 * depth * self._seconds.get(queue, 0.0)), least), most)
        return RpcError(
            Code.OVERLOADED,
            f"{depth} requests of {priority.name.lower()} priority wait for {queue} already; try again in {wait_ms} ms",
            {"retry_after_ms": wait_ms, "queue": queue, "queue_depth": depth},
        )

    def _dequeue(self, call: Call) -> None:
        lane = self._lane(call)
        if call not in lane.waiting:
            return
        del lane.waiting[call]
        self._depths[call.job.work.queue, call.priority] -= 1
        if not lane.waiting:
            del self._flows[call.priority][call.flow]

    def _leave(self, call: Call) -> None:
        """Forget a call that is answered, cancelled or expired."""
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
        """What a ticket does. A ticket whose call has gone, or is congested, finds nothing, and that is all."""
        late: list[Call] = []
        with self._lock:
            self._tickets -= 1
            due = self._take(late)
            if due is not None:
                self._begin(due.job)
        for call in late:
            call.expire()
        if due is not None:
            self._do(due)

    def _take(self, late: list[Call]) -> Call | None:
        """The call that is due, off the queue; those that have expired on the way go to `late`."""
        for priority, flows in self._flows.items():
            while ready := [lane for flow, lane in flows.items() if not flow.congested]:
                lane = min(ready, key=lambda lane: lane.used_s)
                self._level[priority] = max(self._level[priority], lane.used_s)
                call = next(iter(lane.waiting))
                self._dequeue(call)
                if call.expires is None or time.monotonic() < call.expires:
                    return call
                late.append(call)
        return None

    def _begin(self, job: Job) -> None:
        job.running = True
        self._running += 1
        for call in job.calls:
            self._dequeue(call)

    def _do(self, due: Call) -> None:
        job = due.job
        waited, began = time.monotonic() - due.asked, time.perf_counter()
        result, error = None, None
        try:
            result = self._run(job)
        except BaseException as raised:  # whoever waits must be told, whatever it is
            error = raised
        seconds = time.perf_counter() - began
        with self._lock:
            self._running -= 1
            self._forget(job)
            self._lane(due).used_s += seconds
            mean = self._seconds.setdefault(job.work.queue, seconds)
            self._seconds[job.work.queue] = mean + _NEWEST * (seconds - mean)
            calls = list(job.calls)
        self._observe(job.work.queue, waited, seconds, len(calls))
        for call in calls:
            call.succeed(result) if error is None else call.fail(error)
