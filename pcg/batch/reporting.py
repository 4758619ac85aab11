"""What a batch says while it runs: a bar on a terminal, lines elsewhere, or JSON events on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

EVERY_S = 5.0  # between lines
RATE_S = 60.0  # over which the rate is measured


class Reporter(Protocol):
    """Takes what happens."""

    def event(self, name: str, **said: Any) -> None:
        """Something happened: made, kept, rejected, failed, note."""

    def progress(self, done: int, total: int) -> None:
        """How many of how many are done; called often."""

    def close(self) -> None:
        """The batch has ended."""


class Rate:
    """Assets a second over the last minute, and the time left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: list[tuple[float, int]] = []

    def look(self, done: int, total: int) -> tuple[float | None, float | None]:
        """The rate and the seconds left; None where too little is known."""
        now = self._clock()
        if not self._seen or now - self._seen[-1][0] > 0.5:
            self._seen.append((now, done))
            while len(self._seen) > 2 and now - self._seen[1][0] > RATE_S:
                self._seen.pop(0)
        then, before = self._seen[0]
        if now - then < 1 or done == before:
            return None, None
        rate = (done - before) / (now - then)
        return rate, (total - done) / rate


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(5), duration(95), duration(7300)
    ('5 s', '1 min 35 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def amount(size: float) -> str:
    """Bytes as people say them.

    >>> amount(900), amount(12_345_678)
    ('900 bytes', '12 MB')
    """
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= least:
            return f"{size / least:.1f} {unit}" if size < 10 * least else f"{size / least:.0f} {unit}"
    return f"{size:.0f} bytes"


class Lines:
    """Lines on stderr, one in some seconds."""

    def __init__(self) -> None:
        self._rate, self._told = Rate(), 0.0

    def event(self, name: str, **said: Any) -> None:
        if name in ("note", "failed"):
            print(said["text"], file=sys.stderr)

    def progress(self, done: int, total: int) -> None:
        rate, left = self._rate.look(done, total)
        now = time.monotonic()
        if rate is not None and left is not None and now - self._told > EVERY_S:
            self._told = now
            print(f"{done} of {total}, {rate:.1f} a second, {duration(left)} left", file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class Bar:
    """A bar on a terminal's stderr."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        self._console = Console(stderr=True)
        self._bar = Progress(*columns, TimeElapsedColumn(), console=self._console, redirect_stdout=False)
        self._task = self._bar.add_task("assets", total=None, rate="")
        self._rate = Rate()
        self._bar.start()

    def event(self, name: str, **said: Any) -> None:
        if name in ("note", "failed"):
            self._console.print(said["text"], markup=False, highlight=False)

    def progress(self, done: int, total: int) -> None:
        rate, left = self._rate.look(done, total)
        said = "" if rate is None or left is None else f"{rate:.1f} a second, {duration(left)} left"
        self._bar.update(self._task, completed=done, total=total, rate=said)

    def close(self) -> None:
        self._bar.stop()


class Events:
    """One JSON object a line on stdout."""

    def __init__(self) -> None:
        self._rate, self._told = Rate(), 0.0

    def event(self, name: str, **said: Any) -> None:
        print(json.dumps({"event": name, **said}), flush=True)

    def progress(self, done: int, total: int) -> None:
        rate, left = self._rate.look(done, total)
        now = time.monotonic()
        if now - self._told > 1 or done == total:
            self._told = now
            figures = {
                "rate": None if rate is None else round(rate, 2),
                "left_s": None if left is None else round(left),
            }
            self.event("progress", done=done, total=total, **figures)

    def close(self) -> None:
        pass


def reporter(form: Literal["auto", "json"]) -> Reporter:
    """The reporter for a form of output; `auto` looks whether stderr is a terminal."""
    if form == "json":
        return Events()
    return Bar() if sys.stderr.isatty() else Lines()
