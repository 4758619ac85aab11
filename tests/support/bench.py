"""A scheduler whose tickets a test calls by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.scheduling.jobs import Call, Flow, Job, Priority
from runtime.scheduling.scheduler import Scheduler
from runtime.scheduling.work import Work


class Bench:
    """A scheduler whose tickets run when told. `done` lists the names of the works that have run."""

    def __init__(self, **options: Any) -> None:
        self.tickets: list[Callable[[], None]] = []
        self.done: list[str] = []
        self.jobs: list[Job] = []
        self.scheduler = Scheduler(self.tickets.append, self._run, **options)

    def _run(self, job: Job) -> Any:
        self.jobs.append(job)
        return job.work.run()

    def submit(
        self,
        name: str,
        flow: Flow | None = None,
        priority: Priority = Priority.NORMAL,
        deadline_s: float | None = None,
        queue: str = "model",
        run: Callable[[], Any] = lambda: None,
        finish: Callable[[Any], Any] | None = None,
    ) -> Call:
        def note() -> str:
            run()
            self.done.append(name)
            return name

        work = Work(queue, name.encode(), note, finish=finish)
        return self.scheduler.submit(work, flow or Flow(), priority, deadline_s)

    def run(self, count: int | None = None) -> list[str]:
        """Call tickets, all there are or so many; what they ran."""
        before = len(self.done)
        while self.tickets and count != 0:
            self.tickets.pop(0)()
            count = None if count is None else count - 1
        return self.done[before:]
