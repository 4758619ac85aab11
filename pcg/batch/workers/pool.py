"""Worker processes and the orders that they have: a worker that dies, or a server that is lost, gives them back."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from pcg.batch.plan import Order, Place
from pcg.batch.workers.making import Failed, Finished, Rejected
from pcg.batch.workers.process import Broken, Here, Lost, Report, Source, work
from runtime.address import Address

DEATHS = 3  # of workers in a row that have done nothing, or with the same order
AT_A_SERVER = 4  # requests at a time, each on a connection of its own
AHEAD = 3  # orders that a worker has beyond those that it makes
PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0  # before a lost server is tried again
GIVE_UP_S = 60.0  # without any server


class PoolError(Exception):
    """No order can be done any more; the message says why."""


class Pool(Protocol):
    """Who does the orders."""

    def room(self) -> bool:
        """Whether another order can be given."""

    def give(self, order: Order) -> None:
        """Give an order."""

    def reports(self, timeout_s: float) -> list[Finished | Rejected | Failed]:
        """What was done since the last call; waits for something to be done. Raises PoolError, OSError."""

    def notes(self) -> list[str]:
        """What a person should know, since the last call: lost servers, workers that died."""

    def close(self) -> None:
        """Stop at once. Orders that were not done are dropped."""


@dataclass(eq=False)
class _Member:
    """A worker process, and the orders that it has."""

    source: Source
    makers: int
    process: BaseProcess
    pipe: Connection
    orders: dict[Place, Order] = field(default_factory=dict)
    idle_deaths: int = 0
    done: int = 0
    paused_until: float = 0.0
    pause_s: float = PAUSE_S

    @property
    def capacity(self) -> int:
        return self.makers + AHEAD


class Processes:
    """A pool of processes on this machine: with runtimes of their own, or as clients of servers, one for each."""

    def __init__(self, sources: Sequence[tuple[Source, int]], out: Path, staging: Path) -> None:
        """`sources`: of each process, what makes its assets and how many at a time."""
        self._context = multiprocessing.get_context("spawn")
        self._out, self._staging, self._numbers = out, staging, itertools.count()
        self._again: deque[Order] = deque()
        self._deaths: dict[Place, int] = {}
        self._notes: list[str] = []
        self._heard = time.monotonic()
        self._failed: list[Finished | Rejected | Failed] = []
        self._members = [self._start(source, makers) for source, makers in sources]

    def _start(self, source: Source, makers: int) -> _Member:
        here, there = self._context.Pipe()
        staging = self._staging / str(next(self._numbers))
        process = self._context.Process(target=work, args=(there, source, makers, self._out, staging), daemon=True)
        process.start()
        there.close()
        return _Member(source, makers, process, here)

    def room(self) -> bool:
        """Whether another order can be given."""
        return not self._again and self._least_busy() is not None

    def _least_busy(self) -> _Member | None:
        now = time.monotonic()
        free = [m for m in self._members if m.paused_until <= now and len(m.orders) < m.capacity]
        return min(free, key=lambda m: len(m.orders) / m.capacity, default=None)

    def give(self, order: Order) -> None:
        """Give an order to the worker that has the fewest."""
        self._again.append(order)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._again and (member := self._least_busy()) is not None:
            order = self._again.popleft()
            member.orders[order.place] = order
            try:
                member.pipe.send(order)
            except OSError:  # it has died; `reports` sees that, too
                self._bury(member)

    def reports(self, timeout_s: float) -> list[Finished | Rejected | Failed]:
        """What was done since the last call."""
        self._hand_out()
        ready = wait([member.pipe for member in self._members], timeout_s)
        done, self._failed = self._failed, []
        for member in list(self._members):
            if member.pipe not in ready:
                continue
            try:
                while member.pipe.poll():
                    done += self._hear(member, member.pipe.recv())
            except (EOFError, OSError):
                self._bury(member)
        self._hand_out()
        if all(isinstance(m.source, Address) for m in self._members) and (self._again or self._busy()):
            gone = all(m.paused_until > time.monotonic() for m in self._members)
            if gone and time.monotonic() - self._heard > GIVE_UP_S:
                raise PoolError("no server is left that answers")
        return done

    def _busy(self) -> bool:
        return any(member.orders for member in self._members)

    def _hear(self, member: _Member, report: Report) -> list[Finished | Rejected | Failed]:
        if isinstance(report, Broken):
            raise OSError(report.why)
        order = member.orders.pop(report.place)
        if isinstance(report, Lost):
            self._again.appendleft(order)
            if member.paused_until <= time.monotonic():
                self._notes.append(f"{member.source} is lost ({report.why}); its work is done again")
                member.paused_until = time.monotonic() + member.pause_s
                member.pause_s = min(2 * member.pause_s, LONGEST_PAUSE_S)
            return []
        self._heard = time.monotonic()
        member.done, member.pause_s, member.paused_until = member.done + 1, PAUSE_S, 0.0
        return [report]

    def _bury(self, member: _Member) -> None:
        """Replace a worker that has died; its orders are done again."""
        if member not in self._members:
            return
        member.process.join(1)
        code = member.process.exitcode
        deaths = 0 if member.done else member.idle_deaths + 1
        if deaths >= DEATHS:
            raise PoolError(f"{deaths} workers in a row ended before they had done anything, the last with code {code}")
        self._notes.append(f"a worker ended with code {code}; its work is done again")
        for number, (place, order) in enumerate(member.orders.items()):
            if number <= member.makers:  # it was being made, or written
                self._deaths[place] = self._deaths.get(place, 0) + 1
            if self._deaths.get(place, 0) >= DEATHS:
                self._failed.append(Failed(place, f"{order.id}: {DEATHS} workers died with it"))
            else:
                self._again.append(order)
        member.pipe.close()
        new = self._start(member.source, member.makers)
        new.idle_deaths = deaths
        self._members[self._members.index(member)] = new

    def notes(self) -> list[str]:
        """What a person should know."""
        said, self._notes = self._notes, []
        return said

    def close(self) -> None:
        """Stop the workers at once."""
        for member in self._members:
            member.process.kill()
        for member in self._members:
            member.process.join()
            member.pipe.close()


def local_sources(jobs: int, models: Path | None, device: str, threads: int) -> list[tuple[Source, int]]:
    """Workers with runtimes of their own; each makes one asset at a time, with `threads` threads."""
    return [(Here(models, device, threads), 1)] * jobs  # type: ignore[arg-type]
