"""What the scheduler keeps account of: calls that wait, the jobs that they wait for, and whose they are."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future, InvalidStateError
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from runtime.errors import Code, RpcError
from runtime.work import Search, Work

if TYPE_CHECKING:
    from runtime.scheduler import Scheduler


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


class Lane:
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
